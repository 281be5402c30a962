//! A port that stays a test's own, also while nobody listens on it.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// A port of the loopback interface, held until this is dropped.
///
/// A socket is bound to it that doesn't listen: nobody answers there, the kernel gives the port to nobody else, and a
/// program that sets `SO_REUSEADDR` (tokio does) can listen on it, end, and listen again.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _held: TcpSocket,
}

impl Port {
    /// Takes one that nobody uses.
    #[must_use]
    pub fn hold() -> Self {
        let held = reusable(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Self { address: held.local_addr().expect("a bound socket has an address"), _held: held }
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.address.port()
    }

    /// `http://` and its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Listens on it, in this process.
    #[must_use]
    pub fn listen(&self) -> TcpListener {
        reusable(self.address).listen(1_024).expect("nobody else listens on a port that is held")
    }
}

fn reusable(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("the machine has sockets");
    socket.set_reuseaddr(true).expect("a socket that isn't bound yet can be shared");
    socket.bind(address).expect("loopback has a free port");
    socket
}
