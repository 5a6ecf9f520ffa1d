use proptest::prelude::*;

use super::*;

/// Lengths around every edge of the padding.
const LENGTHS: [usize; 19] = [0, 1, 7, 8, 9, 32, 63, 64, 65, 127, 128, 134, 135, 136, 137, 271, 272, 273, 1000];

fn expected<M: AsRef<[u8]>>(messages: &[M]) -> Vec<B256> {
    messages.iter().map(keccak256).collect()
}

fn message(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + seed * 7 + i * seed) as u8).collect()
}

#[test]
fn every_level_hashes_every_length_in_every_number() {
    for level in Level::available() {
        for len in LENGTHS {
            for count in 0..=25 {
                let messages: Vec<_> = (0..count).map(|seed| message(len, seed)).collect();
                assert_eq!(level.hash_each(&messages), expected(&messages), "{level}: {count} of {len} bytes");
            }
        }
    }
}

#[test]
fn all_zeros_and_all_ones_are_hashed_alike() {
    for level in Level::available() {
        for byte in [0, 0xff] {
            assert_eq!(level.hash_each(&[[byte; 64]; 17]), expected(&[[byte; 64]; 17]), "{level}");
            assert_eq!(level.hash_each(&[[byte; 128]; 17]), expected(&[[byte; 128]; 17]), "{level}");
        }
    }
}

#[test]
fn a_known_hash_is_found() {
    // of the empty message, as Ethereum's yellow paper has it
    let empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    for level in Level::available() {
        for hash in level.hash_each(&[b""; 9]) {
            assert_eq!(alloy_primitives::hex::encode(hash), empty, "{level}");
        }
    }
}

#[test]
fn hashes_without_room_are_left_out() {
    for level in Level::available() {
        let mut hashes = [B256::repeat_byte(7); 12];
        level.hash_into(&[[1; 64]; 9], &mut hashes);
        assert_eq!(hashes[8], keccak256([1; 64]));
        assert_eq!(hashes[9..], [B256::repeat_byte(7); 3]);
        level.hash_into(&[[2; 64]; 9], &mut hashes[..1]);
        assert_eq!(hashes[..2], [keccak256([2; 64]), keccak256([1; 64])]);
    }
}

#[test]
fn levels_have_names_and_the_last_is_always_there() {
    let levels = Level::available();
    assert_eq!(levels.last(), Some(&Level::SCALAR));
    for level in levels {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    assert_eq!("sse9".parse::<Level>(), Err(LevelError::Unknown("sse9".into())));
}

#[test]
fn another_level_is_not_chosen_once_one_is_in_use() {
    let current = Level::current();
    assert_eq!(current.choose(), Ok(()));
    for other in Level::available().into_iter().filter(|level| *level != current) {
        assert_eq!(other.choose(), Err(LevelError::Late(current)));
    }
}

proptest! {
    #[test]
    fn every_level_hashes_random_messages(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..40)) {
        for level in Level::available() {
            prop_assert_eq!(level.hash_each(&messages), expected(&messages));
        }
    }

    #[test]
    fn every_level_hashes_random_leaves_and_nodes(
        leaves in prop::collection::vec(prop::array::uniform::<_, 128>(any::<u8>()), 0..20),
        nodes in prop::collection::vec(prop::array::uniform::<_, 64>(any::<u8>()), 0..20),
    ) {
        for level in Level::available() {
            prop_assert_eq!(level.hash_each(&leaves), expected(&leaves));
            prop_assert_eq!(level.hash_each(&nodes), expected(&nodes));
        }
    }
}
