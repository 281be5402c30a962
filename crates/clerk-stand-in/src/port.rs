//! A port that stays reserved while nothing listens on it.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// A port of the loopback interface, reserved until this is dropped.
///
/// It holds a bound socket that doesn't listen: connections are refused, the kernel assigns the port to no other
/// socket, and a program that sets `SO_REUSEADDR` (tokio does) can listen on it, end, and listen again.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _reservation: TcpSocket,
}

impl Port {
    /// Reserves a free port.
    ///
    /// # Panics
    /// If the loopback interface has no free port.
    #[must_use]
    pub fn hold() -> Self {
        let socket = reusable(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Self { address: socket.local_addr().expect("a bound socket has an address"), _reservation: socket }
    }

    /// The port number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:` and the port number.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Listens on it, in this process.
    ///
    /// # Panics
    /// If something listens on it already.
    #[must_use]
    pub fn listen(&self) -> TcpListener {
        reusable(self.address).listen(1_024).expect("nothing else listens on a reserved port")
    }
}

fn reusable(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("the system has sockets");
    socket.set_reuseaddr(true).expect("the socket isn't bound yet");
    socket.bind(address).expect("the loopback interface has a free port");
    socket
}
