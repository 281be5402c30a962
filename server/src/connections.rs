//! Accepts connections and serves HTTP/1.1 on them. A connection that takes part in nothing is closed, so that nobody holds
//! many for nothing. Knows sockets and HTTP, no route.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use self::write_timeout::WriteTimeout;
use crate::config::{HttpConfig, TrustedProxies};
use crate::middleware::client_ip;

mod write_timeout;

/// How long to wait after an error that isn't one connection's: too many open files, for example.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// A single address has at most one of so many of the connections.
const SHARE_OF_ONE_ADDRESS: usize = 4;
/// But it may always have so many, if there are as many.
const MIN_SHARE: usize = 16;

/// What connections may take up.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// How many are served at a time. Further ones wait in the operating system's queue.
    pub connections: usize,
    /// How long one may be idle, the time included that it takes to send a request's header.
    pub idle: Duration,
    /// How long one may take no byte of a response.
    pub write: Duration,
    /// These may have any number of connections.
    pub trusted_proxies: TrustedProxies,
}

impl ConnectionLimits {
    /// Reads them from the configuration.
    #[must_use]
    pub fn new(config: &HttpConfig) -> Self {
        Self {
            connections: usize::try_from(config.connections.get()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS),
            idle: Duration::from_secs(config.idle_seconds.get().into()),
            write: Duration::from_secs(config.write_seconds.get().into()),
            trusted_proxies: config.trusted_proxies.clone(),
        }
    }

    /// How many connections one address may have.
    fn share(&self) -> usize {
        (self.connections / SHARE_OF_ONE_ADDRESS).max(MIN_SHARE)
    }

    fn is_exempt(&self, peer: IpAddr) -> bool {
        peer.to_canonical().is_loopback() || self.trusted_proxies.contains(peer)
    }
}

/// Serves until `shutdown`, then finishes the requests that have begun.
pub async fn serve(listener: TcpListener, router: Router, limits: ConnectionLimits, shutdown: CancellationToken) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let addresses = Addresses::default();
    let graceful = GracefulShutdown::new();
    let next = async || {
        let permit = permits.clone().acquire_owned().await.ok()?;
        Some((permit, accept(&listener).await))
    };
    while let Some(Some((permit, (stream, peer)))) = shutdown.run_until_cancelled(next()).await {
        let address = client_ip::rate_limit_key(peer.ip().to_canonical());
        let exempt = limits.is_exempt(peer.ip());
        let Some(address) = addresses.add(address, if exempt { usize::MAX } else { limits.share() }) else {
            metrics::counter!("lethe_connections_refused_total").increment(1);
            continue;
        };
        let connection = graceful.watch(connection(stream, peer, router.clone(), &limits));
        tokio::spawn(async move {
            let _held = (permit, address, Open::new());
            if let Err(error) = connection.await {
                // A client that leaves, sends no HTTP, or is cut off.
                tracing::debug!(error = lethe::error_chain(&error), "connection ended");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Serves one connection.
fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: &ConnectionLimits,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + Send + use<> {
    // Responses are written in one piece, so Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        // In a task of its own, so that a client that leaves interrupts nothing: sqlx 0.9 returns a connection to the pool
        // inside an open transaction if its `BEGIN` is dropped while it is under way.
        let response = tokio::spawn(router.clone().oneshot(request.map(Body::new)));
        async move { response.await.map(|Ok(response)| response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        // Hyper's timer runs from the moment at which a connection waits for a request.
        .header_read_timeout(limits.idle)
        .serve_connection(TokioIo::new(WriteTimeout::new(stream, limits.write)), service)
}

/// Accepts the next connection, however often that fails.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        let error = match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => error,
        };
        let is_of_one_connection = matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
        );
        if !is_of_one_connection {
            tracing::error!(%error, "no connection can be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// How many connections each address has.
#[derive(Clone, Debug, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of an address's connections.
struct AddressConnection {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    /// Counts one more connection, unless `address` has `limit` already.
    fn add(&self, address: IpAddr, limit: usize) -> Option<AddressConnection> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(AddressConnection { addresses: self.clone(), address })
    }
}

impl Drop for AddressConnection {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// An open connection, for the metrics.
struct Open;

impl Open {
    fn new() -> Self {
        metrics::gauge!("lethe_connections").increment(1.0);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("lethe_connections").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_have_all_connections() {
        let addresses = Addresses::default();
        let (one, other) = (IpAddr::from([203, 0, 113, 1]), IpAddr::from([203, 0, 113, 2]));
        let held: Vec<_> = (0..2).map(|_| addresses.add(one, 2).expect("it has few")).collect();
        assert!(addresses.add(one, 2).is_none());
        assert!(addresses.add(other, 2).is_some());
        drop(held);
        assert!(addresses.add(one, 2).is_some());
        assert!(addresses.0.lock().expect("no panic").is_empty(), "idle addresses take no memory");
    }
}
