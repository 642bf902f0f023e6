//! From the name of a host to addresses that may be connected to.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::allow::Allow;

/// The future of a lookup.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a host. Called once for each connection; what it answers is checked, and exactly that is connected to.
pub trait Lookup: Send + Sync + Debug {
    /// All addresses of `name`.
    fn lookup(&self, name: &str) -> Looking;
}

/// Asks the system: its `hosts` file, its name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> Looking {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Passes on addresses only when all of them may be reached.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) allow: Allow,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let looking = self.lookup.lookup(&name);
        let allow = self.allow.clone();
        Box::pin(async move {
            let found = looking.await?;
            if found.is_empty() {
                return Err(format!("{name:?} has no address").into());
            }
            for address in &found {
                allow.check(Some(&name), *address)?;
            }
            // Port 0 is replaced by that of the URL.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}
