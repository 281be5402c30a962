//! Serves a router on a listener. This uses hyper directly for what `axum::serve` can't do: close a connection without
//! a response, if a handler asks for it with [`DropConnection`].

use std::{convert::Infallible, io};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinSet};
use tower::{ServiceExt, service_fn};

/// A response extension: the connection is closed and the response is never sent.
#[derive(Clone, Copy)]
pub(crate) struct DropConnection;

/// Serves until the future is dropped, which also closes all connections.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            // Too many open files, or a connection that was reset in the queue: the next one may succeed.
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        // Failing to set it only costs speed.
        drop(stream.set_nodelay(true));
        let router = router.clone();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let router = router.clone();
            async move {
                let response: Result<Response, Infallible> = router.oneshot(request.map(Body::new)).await;
                match response {
                    Ok(response) if response.extensions().get::<DropConnection>().is_some() => {
                        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                    }
                    Ok(response) => Ok(response),
                    Err(never) => match never {},
                }
            }
        });
        connections.spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
        });
    }
}
