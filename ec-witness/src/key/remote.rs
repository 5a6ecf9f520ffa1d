//! A signer elsewhere, asked by JSON-RPC over HTTP: web3signer, op-signer, clef.
//!
//! alloy's `Web3Signer` is not used: it knows one of the two methods, and takes whatever comes back for the transaction that it
//! asked to be signed.

use std::{fmt, fs, path::PathBuf, time::Duration};

use alloy::{
    consensus::TxEip1559,
    eips::eip2930::AccessList,
    primitives::{Address, Bytes, U64, U128, U256},
    providers::{DynProvider, Provider},
};
use ec_rpc::{Endpoint, Fault, Tls};
use serde::Serialize;
use serde_json::Value;
use strum::{EnumString, IntoStaticStr};
use url::{Host, Url};

use super::{
    answer::{Mismatch, Signed, checked},
    error::KeyError,
    file::read_secret,
};

/// How long a signer may take where nothing else is configured. It must be less than the ten seconds in which a witness that is
/// told to stop has to end; one that asks a person needs more.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The method that a signer is asked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr, strum::Display)]
pub enum SignMethod {
    /// That of web3signer and op-signer.
    #[default]
    #[strum(serialize = "eth_signTransaction")]
    Eth,
    /// That of clef.
    #[strum(serialize = "account_signTransaction")]
    Account,
}

/// Where a signer is, and who asks it for what.
#[derive(Clone)]
pub struct RemoteSettings {
    /// HTTP or HTTPS. What stands beside scheme, host and port may be secret.
    pub url: Url,
    /// The method it is asked by.
    pub method: SignMethod,
    /// The account that it is to sign as.
    pub address: Address,
    /// File with the certificate that is presented to it, PEM.
    pub certificate: Option<PathBuf>,
    /// File with the certificate's key, PEM, readable by its owner only.
    pub key: Option<PathBuf>,
    /// File with the certificates that may vouch for it, PEM; the system's where none is set.
    pub authority: Option<PathBuf>,
    /// Limit of one request.
    pub timeout: Duration,
}

impl fmt::Debug for RemoteSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signer {} of {}", self.name(), self.address)
    }
}

impl RemoteSettings {
    /// Its scheme, host and port.
    pub fn name(&self) -> String {
        self.endpoint().name()
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint { rpc: self.url.clone(), timeout: self.timeout }
    }

    /// Whether these belong together, as far as that can be said without reading a file.
    pub(super) fn check(&self) -> Result<(), KeyError> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => return Err(KeyError::HalfIdentity { set: "signer_cert", unset: "signer_key" }),
            (None, Some(_)) => return Err(KeyError::HalfIdentity { set: "signer_key", unset: "signer_cert" }),
            _ => {}
        }
        if self.url.scheme() == "https" {
            return Ok(());
        }
        let set = [("signer_cert", &self.certificate), ("signer_ca", &self.authority)];
        if let Some((field, _)) = set.iter().find(|(_, file)| file.is_some()) {
            return Err(KeyError::WithoutTls { field, signer: self.name() });
        }
        if is_private(&self.url) { Ok(()) } else { Err(KeyError::InTheClear(self.name())) }
    }

    fn tls(&self) -> Result<Tls, KeyError> {
        let mut tls = Tls::default();
        if let Some(path) = &self.authority {
            let authority =
                fs::read(path).map_err(|source| KeyError::Read { field: "signer_ca", path: path.clone(), source })?;
            tls = tls.vouched_for_by(&authority).ok_or_else(|| KeyError::NoAuthority(path.clone()))?;
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            let presented = fs::read(certificate).map_err(|source| KeyError::Read {
                field: "signer_cert",
                path: certificate.clone(),
                source,
            })?;
            let secret = read_secret("signer_key", key)?;
            let identity = tls.presenting(&presented, secret.as_bytes());
            tls = identity.map_err(|source| self.no_client(source))?;
        }
        Ok(tls)
    }

    /// Most often what is to be presented.
    fn no_client(&self, source: alloy::transports::http::reqwest::Error) -> KeyError {
        match (self.certificate.clone(), self.key.clone()) {
            (Some(certificate), Some(key)) => KeyError::Identity { certificate, key, source },
            _ => KeyError::Client { signer: self.name(), source },
        }
    }
}

/// Whether nothing but this host and its own network can listen: a loopback or private address (RFC 1918, RFC 4193) or a name
/// that is none in the DNS of the world.
fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => !name.contains('.') || name.ends_with(".localhost") || name.ends_with(".internal"),
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        None => false,
    }
}

/// What a signer did instead of signing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// It gave no answer. It may have signed all the same.
    #[error("the signer {signer} gives no answer to {method}: {}", words(.fault))]
    Unanswered {
        /// The signer.
        signer: String,
        /// What it was asked.
        method: SignMethod,
        /// Why.
        fault: Fault,
    },
    /// It says that it will not.
    #[error("the signer {signer} refuses {method}: {fault}")]
    Refused {
        /// The signer.
        signer: String,
        /// What it was asked.
        method: SignMethod,
        /// Its words.
        fault: Fault,
    },
    /// It answers with something else.
    #[error("the signer {signer} is not to be trusted: {mismatch}; nothing of that is kept or sent")]
    Mismatch {
        /// The signer.
        signer: String,
        /// What it answered.
        mismatch: Mismatch,
    },
}

impl RemoteError {
    /// Whether it may have signed what it was asked for. One that says that it will not has not.
    pub(super) fn may_be_signed(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

fn words(fault: &Fault) -> String {
    match fault {
        Fault::Redirect(to) => format!("it redirects to {to}: set signer to where that leads"),
        fault => fault.to_string(),
    }
}

/// A signer elsewhere.
#[derive(Clone, Debug)]
pub struct RemoteSigner {
    provider: DynProvider,
    name: String,
    method: SignMethod,
    address: Address,
}

impl RemoteSigner {
    /// Reads what is to be presented; the signer is not asked yet.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or holds something else.
    pub fn new(settings: &RemoteSettings) -> Result<Self, KeyError> {
        let service = settings.endpoint().service(&settings.tls()?);
        let provider = service.map_err(|source| settings.no_client(source))?;
        Ok(Self { provider, name: settings.name(), method: settings.method, address: settings.address })
    }

    /// The account that it signs as.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Has it sign this transaction, and checks that it did that and nothing else.
    pub(super) async fn sign(&self, tx: &TxEip1559) -> Result<Signed, RemoteError> {
        let answer = match self.ask(tx).await {
            // a connection or an answer was spoilt; the same transaction signed twice is one transaction
            Err(fault) if fault.may_pass() => self.ask(tx).await,
            answer => answer,
        };
        let (signer, method) = (self.name.clone(), self.method);
        let answer = answer.map_err(|fault| match fault {
            Fault::Rpc { .. } => RemoteError::Refused { signer: signer.clone(), method, fault },
            fault => RemoteError::Unanswered { signer: signer.clone(), method, fault },
        })?;
        checked(&answer, tx, self.address).map_err(|mismatch| RemoteError::Mismatch { signer, mismatch })
    }

    async fn ask(&self, tx: &TxEip1559) -> Result<Value, Fault> {
        let method: &'static str = self.method.into();
        Ok(self.provider.raw_request(method.into(), (Request::of(tx, self.address),)).await?)
    }
}

/// The transaction as every signer takes it. Addresses have their checksum, without which clef warns; the call data goes by the
/// older name, which all of them know.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    chain_id: U64,
    nonce: U64,
    gas: U64,
    max_fee_per_gas: U128,
    max_priority_fee_per_gas: U128,
    value: U256,
    access_list: &'a AccessList,
    data: &'a Bytes,
}

impl<'a> Request<'a> {
    fn of(tx: &'a TxEip1559, from: Address) -> Self {
        Self {
            from: from.to_string(),
            to: tx.to.to().map(Address::to_string),
            chain_id: U64::from(tx.chain_id),
            nonce: U64::from(tx.nonce),
            gas: U64::from(tx.gas_limit),
            max_fee_per_gas: U128::from(tx.max_fee_per_gas),
            max_priority_fee_per_gas: U128::from(tx.max_priority_fee_per_gas),
            value: tx.value,
            access_list: &tx.access_list,
            data: &tx.input,
        }
    }
}

#[cfg(test)]
mod tests;
