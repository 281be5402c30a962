//! The SMTP server: sockets and delivery. `mailin` implements the protocol.

use std::{io, net::IpAddr};

use mailin::{Action, Handler, Response, SessionBuilder, response};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::mailbox::Mailbox;

const SIZE_LIMIT: usize = 32 * 1024 * 1024;

pub(super) async fn serve(listener: TcpListener, mailbox: Mailbox) -> io::Result<()> {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, address) = accepted?;
                let mailbox = mailbox.clone();
                sessions.spawn(async move {
                    if let Err(error) = serve_session(stream, address.ip(), mailbox).await {
                        tracing::debug!(%error, "SMTP session ended early");
                    }
                });
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

async fn serve_session(stream: TcpStream, address: IpAddr, mailbox: Mailbox) -> io::Result<()> {
    let mut stream = BufStream::new(stream);
    let mut session = SessionBuilder::new("inbox.localhost")
        .build(address, Envelope { mailbox, from: String::new(), to: Vec::new(), data: Vec::new() });
    write(&mut stream, &session.greeting()).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let response = session.process(&line);
        match response.action {
            Action::NoReply => {}
            Action::Close => return write(&mut stream, &response).await,
            Action::Reply | Action::UpgradeTls => write(&mut stream, &response).await?,
        }
    }
}

async fn write(stream: &mut BufStream<TcpStream>, response: &Response) -> io::Result<()> {
    stream.write_all(&response.buffer()?).await?;
    stream.flush().await
}

/// The mail that is being received.
struct Envelope {
    mailbox: Mailbox,
    from: String,
    to: Vec<String>,
    data: Vec<u8>,
}

impl Handler for Envelope {
    fn data_start(&mut self, _domain: &str, from: &str, _is8bit: bool, to: &[String]) -> Response {
        from.clone_into(&mut self.from);
        self.to = to.to_vec();
        self.data.clear();
        response::START_DATA
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        if self.data.len() + line.len() > SIZE_LIMIT {
            return Err(io::Error::other("the mail is too large"));
        }
        self.data.extend_from_slice(line);
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        match self.mailbox.deliver(&self.from, &self.to, &self.data) {
            Ok(()) => response::OK,
            Err(error) => {
                tracing::error!(%error, "mail could not be stored");
                response::INTERNAL_ERROR
            }
        }
    }
}
