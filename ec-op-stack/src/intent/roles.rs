//! Who holds which role: the addresses that an intent is filled with.

use alloy::primitives::Address;
use serde::Deserialize;

/// The roles of a chain, from a JSON file. Each address is of a real key with, where it sends transactions, funds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Roles {
    /// Owns the proxy admins and the system config.
    pub owner: Address,
    /// Signs unsafe blocks on the P2P network.
    pub sequencer: Address,
    /// Posts batches.
    pub batcher: Address,
    /// Proposes output roots.
    pub proposer: Address,
    /// Challenges them.
    pub challenger: Address,
    /// Pauses the superchain; the owner by default.
    pub guardian: Option<Address>,
    /// Sets protocol versions; the owner by default.
    pub protocol_versions_owner: Option<Address>,
    /// Receives all fees; the owner by default.
    pub fee_recipient: Option<Address>,
}

impl Roles {
    /// The roles that are the zero address, by name.
    pub fn zeros(&self) -> Vec<&'static str> {
        let all = [
            ("owner", Some(self.owner)),
            ("sequencer", Some(self.sequencer)),
            ("batcher", Some(self.batcher)),
            ("proposer", Some(self.proposer)),
            ("challenger", Some(self.challenger)),
            ("guardian", self.guardian),
            ("protocolVersionsOwner", self.protocol_versions_owner),
            ("feeRecipient", self.fee_recipient),
        ];
        all.into_iter().filter(|(_, address)| *address == Some(Address::ZERO)).map(|(name, _)| name).collect()
    }

    /// Field and address of `superchainRoles`, in Pascal case or in the camel case of old.
    pub(super) fn superchain(&self, camel: bool) -> Vec<(&'static str, Address)> {
        let guardian = self.guardian.unwrap_or(self.owner);
        let versions = self.protocol_versions_owner.unwrap_or(self.owner);
        if camel {
            return vec![("proxyAdminOwner", self.owner), ("protocolVersionsOwner", versions), ("guardian", guardian)];
        }
        vec![
            ("SuperchainProxyAdminOwner", self.owner),
            ("SuperchainGuardian", guardian),
            ("ProtocolVersionsOwner", versions),
            ("Challenger", self.challenger),
        ]
    }

    /// Field and address of a chain's fee vaults.
    pub(super) fn vaults(&self) -> [(&'static str, Address); 4] {
        let recipient = self.fee_recipient.unwrap_or(self.owner);
        ["baseFeeVaultRecipient", "l1FeeVaultRecipient", "sequencerFeeVaultRecipient", "operatorFeeVaultRecipient"]
            .map(|field| (field, recipient))
    }

    /// Field and address of a chain's `roles`.
    pub(super) fn chain(&self) -> [(&'static str, Address); 7] {
        [
            ("l1ProxyAdminOwner", self.owner),
            ("l2ProxyAdminOwner", self.owner),
            ("systemConfigOwner", self.owner),
            ("unsafeBlockSigner", self.sequencer),
            ("batcher", self.batcher),
            ("proposer", self.proposer),
            ("challenger", self.challenger),
        ]
    }
}
