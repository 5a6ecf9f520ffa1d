//! What is sent at most, whatever comes of it.

use ec_witness::sender::{Hold, SendRule, SpendRule};

use super::bench::{Bench, RULE, header, proposal};

fn rule(max_sends_per_slot: usize, max_gas_per_hour: u64) -> SendRule {
    SendRule { spending: SpendRule { max_sends_per_slot, max_gas_per_hour }, ..RULE }
}

impl Bench {
    /// Casts the vote of a slot once more, though it is in the ledger.
    async fn cast_again(&mut self, slot: u64) -> usize {
        let again = [proposal(header(slot))];
        let sent = self.sender.flush(&mut self.store, &again, |_| true, self.now_ms).await.unwrap().len();
        self.drain(4).await;
        sent
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_has_its_transactions_and_no_more_after_a_restart_either() {
    let mut bench = Bench::start(rule(3, u64::MAX)).await;
    bench.record(0..1);
    bench.drain(4).await;
    assert_eq!([bench.cast_again(0).await, bench.cast_again(0).await], [1, 1]);
    assert_eq!((bench.cast_again(0).await, bench.sender.state().spent_slots), (0, 1));
    let mut bench = bench.restart();
    bench.turn().await.unwrap();
    assert_eq!((bench.cast_again(0).await, bench.sender.state().spent_slots), (0, 1));
    assert_eq!(bench.used().await, 3);
    // others have theirs
    bench.record(1..2);
    bench.drain(4).await;
    assert_eq!(bench.used().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hours_gas_holds_what_comes_after_it_and_is_known_after_a_restart() {
    // two proposals at their highest, each 200 000
    let mut bench = Bench::start(rule(16, 450_000)).await;
    bench.record(0..5);
    bench.turn().await.unwrap();
    assert_eq!(bench.sender.pending(), 2, "what may be used counts until it is known what was");
    assert!(matches!(bench.sender.state().held, Some(Hold::GasBudget { budget: 450_000, .. })));
    bench.mine().await;
    bench.turns(4).await;
    let (spent, most) = bench.sender.state().gas;
    let used = bench.used().await;
    assert!((3..5).contains(&used) && spent <= most, "{used} sent, {spent} of {most} gas");
    let mut bench = bench.restart();
    bench.turns(3).await;
    assert_eq!(bench.used().await, used, "the store knows what the hour before has cost");
    bench.now_ms += 3_600_000;
    bench.turns(6).await;
    assert_eq!(bench.used().await, 5, "an hour later it goes on");
    assert_eq!(bench.sender.state().held, None);
}
