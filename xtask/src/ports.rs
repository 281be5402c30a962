//! TCP ports of the loopback interface.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Context, Result, bail};

/// The four consecutive ports of a demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) server: u16,
    pub(crate) clerk: u16,
    pub(crate) inbox: u16,
    pub(crate) smtp: u16,
}

impl Ports {
    /// Returns the four ports that start at `first`.
    pub(crate) fn from(first: u16) -> Result<Self> {
        let port =
            |offset: u16| first.checked_add(offset).context("--port must be low enough for three more ports above it");
        Ok(Self { server: first, clerk: port(1)?, inbox: port(2)?, smtp: port(3)? })
    }

    /// Finds four consecutive unused ports.
    pub(crate) fn free() -> Result<Self> {
        for _ in 0..100 {
            // Searches below the range that the kernel assigns from, so that it doesn't take these ports.
            let first = 10_000 + free()? % 20_000;
            let ports = Self::from(first)?;
            if ports.check().is_ok() {
                return Ok(ports);
            }
        }
        bail!("found no four consecutive free ports");
    }

    /// Returns an error if a port is in use. It says what the port is for and how to choose another one.
    pub(crate) fn check(self) -> Result<()> {
        let uses = [
            (self.server, "the server, --port"),
            (self.clerk, "the Clerk stand-in, --port plus 1"),
            (self.inbox, "the mail inbox, --port plus 2"),
            (self.smtp, "the mail catcher, --port plus 3"),
        ];
        for (port, purpose) in uses {
            if !is_free(port) {
                let other = if self.server > 60_000 { 3100 } else { self.server + 100 };
                bail!(
                    "port {port} ({purpose}) is in use by another program; choose another port, for example \
                     --port {other}, or stop that program (`ss -ltnp 'sport = :{port}'` shows it)"
                );
            }
        }
        Ok(())
    }
}

/// Finds an unused port.
pub(crate) fn free() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Whether no process listens on a port.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Whether a process accepts connections on a port.
pub(crate) fn accepts_connections(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_consecutive() {
        let ports = Ports::from(3000).expect("three ports follow it");
        assert_eq!((ports.clerk, ports.inbox, ports.smtp), (3001, 3002, 3003));
        assert!(Ports::from(u16::MAX - 1).is_err());
    }

    #[test]
    fn used_port_is_reported_with_its_purpose() {
        let ports = Ports::free().expect("this machine has free ports");
        assert!(ports.check().is_ok());
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports.inbox)).expect("the port was free");
        let error = ports.check().expect_err("the inbox's port is in use").to_string();
        assert!(error.contains(&ports.inbox.to_string()), "{error}");
        assert!(error.contains("the mail inbox, --port plus 2"), "{error}");
    }
}
