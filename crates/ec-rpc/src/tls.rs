//! TLS with a service of one's own: by whom it is vouched for, and who asks.

use alloy::transports::http::reqwest::{Certificate, ClientBuilder, Error, Identity};

/// By whom a service is vouched for, and who asks it. By default the system's authorities, and nobody.
#[derive(Clone, Default)]
pub struct Tls {
    authorities: Option<Vec<Certificate>>,
    identity: Option<Identity>,
}

/// The key is not shown.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("authorities", &self.authorities.as_ref().map(Vec::len))
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl Tls {
    /// Believes only what these certificates, PEM, vouch for; `None` where there is no certificate among it.
    pub fn vouched_for_by(self, certificates: &[u8]) -> Option<Self> {
        let authorities = Certificate::from_pem_bundle(certificates).ok().filter(|found| !found.is_empty())?;
        Some(Self { authorities: Some(authorities), ..self })
    }

    /// Presents this certificate, with the chain that it comes with, by its key. Both are PEM.
    ///
    /// # Errors
    ///
    /// There is no certificate or no key in it. Whether they belong together is seen where they are used.
    pub fn presenting(self, certificate: &[u8], key: &[u8]) -> Result<Self, Error> {
        let identity = Identity::from_pem(&[certificate, b"\n", key].concat())?;
        Ok(Self { identity: Some(identity), ..self })
    }

    pub(crate) fn on(&self, client: ClientBuilder) -> ClientBuilder {
        let client = match &self.authorities {
            Some(authorities) => client.tls_certs_only(authorities.iter().cloned()),
            None => client,
        };
        match &self.identity {
            Some(identity) => client.identity(identity.clone()),
            None => client,
        }
    }
}
