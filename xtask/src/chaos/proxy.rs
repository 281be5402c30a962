//! A TCP proxy in front of Postgres that cuts connections, refuses them and delays what passes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Result;

/// How long a connection attempt to Postgres may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Default)]
struct State {
    refuses: AtomicBool,
    delay_ms: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

/// A running proxy. Its threads end with the process.
pub(super) struct Proxy {
    port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// Forwards connections on a free port to this port.
    pub(super) fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || state.forward(client, target));
            }
        });
        Ok(Self { port, state })
    }

    /// Returns the port on which the proxy listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection. New ones are accepted.
    pub(super) fn cut(&self) {
        for stream in self.state.streams.lock().expect("no holder panics").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Closes every connection, and new ones at once, until it is called with `false`.
    pub(super) fn refuse(&self, refuses: bool) {
        self.state.refuses.store(refuses, Ordering::Relaxed);
        if refuses {
            self.cut();
        }
    }

    /// Delays each piece that Postgres sends.
    pub(super) fn delay(&self, delay: Duration) {
        self.state.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl State {
    fn forward(&self, client: TcpStream, target: u16) {
        if self.refuses.load(Ordering::Relaxed) {
            return;
        }
        let address = (Ipv4Addr::LOCALHOST, target).into();
        let Ok(server) = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (Ok(from_client), Ok(from_server), Ok(listed_client), Ok(listed_server)) =
            (client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone())
        else {
            return;
        };
        self.streams.lock().expect("no holder panics").extend([listed_client, listed_server]);
        thread::scope(|scope| {
            scope.spawn(|| self.copy(from_client, server, false));
            self.copy(from_server, client, true);
        });
        // Ended connections are dropped from the list, so that hours of them don't use up the file descriptors.
        self.streams.lock().expect("no holder panics").retain(|stream| stream.peer_addr().is_ok());
    }

    /// Copies until one side closes, then closes both.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, is_delayed: bool) {
        let mut buffer = [0; 16 << 10];
        while let Ok(length) = from.read(&mut buffer) {
            if length == 0 {
                break;
            }
            if is_delayed {
                thread::sleep(Duration::from_millis(self.delay_ms.load(Ordering::Relaxed)));
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that returns what it receives.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let mut copy = stream.try_clone().expect("it can be cloned");
                    let _ = std::io::copy(&mut copy, &mut stream);
                });
            }
        });
        port
    }

    fn sends(stream: &mut TcpStream) -> bool {
        let mut reply = [0; 4];
        stream.write_all(b"ping").is_ok() && stream.read_exact(&mut reply).is_ok()
    }

    #[test]
    fn proxy_forwards_cuts_and_refuses() {
        let proxy = Proxy::start(echo()).expect("a port is free");
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).expect("it listens");
        let mut stream = connect();
        assert!(sends(&mut stream));
        proxy.cut();
        assert!(!sends(&mut stream), "a cut connection is closed");
        assert!(sends(&mut connect()), "a new one is not");
        proxy.refuse(true);
        assert!(!sends(&mut connect()));
        proxy.refuse(false);
        assert!(sends(&mut connect()));
    }
}
