//! Who comes in: TLS, how many connections, and how long each may take to say something.
//!
//! The HTTP library sees a stream whose reads and writes fail once their time is over. A request has to be there in
//! [`HEAD`], its body in [`BODY`] more; while it is being answered nothing is asked of the client.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use axum_server::tls_rustls::RustlsAcceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::record::hash::Hash;

/// From the connection, or from the answer before, until a request's header is there.
pub const HEAD: Duration = Duration::from_secs(15);
/// Until its body is there.
pub const BODY: Duration = Duration::from_secs(20);
/// To take an answer, and to shake hands.
const WRITE: Duration = Duration::from_secs(15);
/// While the ledger is at work.
const WORK: Duration = Duration::from_secs(600);

/// Every connection there is.
#[derive(Debug)]
pub struct Visitors {
    /// At most so many.
    most: usize,
    /// Of one address at most so many.
    most_of_one: usize,
    present: Mutex<HashMap<SocketAddr, Visitor>>,
}

#[derive(Debug)]
struct Visitor {
    /// SHA-256 of its certificate.
    certificate: Option<Hash>,
    deadline: Instant,
}

impl Visitors {
    /// At most so many, and a quarter of them from one address.
    pub fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Visitors { most, most_of_one: most.div_ceil(4), present: Mutex::default() })
    }

    fn present(&self) -> MutexGuard<'_, HashMap<SocketAddr, Visitor>> {
        self.present.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, address: SocketAddr) -> Option<Presence> {
        let mut present = self.present();
        let of_one = |ip: IpAddr| present.keys().filter(|address| address.ip() == ip).count();
        if present.len() >= self.most || of_one(address.ip()) >= self.most_of_one {
            return None;
        }
        present.insert(address, Visitor { certificate: None, deadline: Instant::now() + HEAD });
        Some(Presence { visitors: Arc::clone(self), address })
    }

    /// The certificate that this client has shown, by its SHA-256.
    pub fn certificate(&self, address: &SocketAddr) -> Option<Hash> {
        self.present().get(address).and_then(|visitor| visitor.certificate)
    }

    /// From now on this client has so long for what comes next.
    pub fn allow(&self, address: &SocketAddr, time: Duration) {
        if let Some(visitor) = self.present().get_mut(address) {
            visitor.deadline = Instant::now() + time;
        }
    }

    /// The ledger is at work: the client has nothing to do.
    pub fn patient(&self, address: &SocketAddr) {
        self.allow(address, WORK);
    }
}

/// A connection, as long as it is there.
struct Presence {
    visitors: Arc<Visitors>,
    address: SocketAddr,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.visitors.present().remove(&self.address);
    }
}

/// Lets connections in.
#[derive(Clone)]
pub struct Door {
    /// TLS; without it only for this machine itself.
    pub tls: Option<RustlsAcceptor>,
    /// Who is there.
    pub visitors: Arc<Visitors>,
}

impl<S: Send + 'static> Accept<TcpStream, S> for Door {
    type Stream = Timed;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Timed, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Door { tls, visitors } = self.clone();
        Box::pin(async move {
            stream.set_nodelay(true)?;
            let address = stream.peer_addr()?;
            let presence = visitors.enter(address).ok_or(io::ErrorKind::ConnectionRefused)?;
            let (inner, service): (Box<dyn Duplex>, S) = match tls {
                None => (Box::new(stream), service),
                Some(tls) => {
                    let (stream, service) = tls.handshake_timeout(WRITE).accept(stream, service).await?;
                    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                    if let Some(visitor) = visitors.present().get_mut(&address) {
                        visitor.certificate = shown.map(|der| Hash::of(der));
                    }
                    (Box::new(stream), service)
                }
            };
            visitors.allow(&address, HEAD);
            Ok((Timed { inner, presence, alarm: Box::pin(sleep_until(Instant::now() + HEAD)) }, service))
        })
    }
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// A connection whose time runs out.
pub struct Timed {
    inner: Box<dyn Duplex>,
    presence: Presence,
    alarm: Pin<Box<Sleep>>,
}

impl Timed {
    /// Where nothing can be read or written now: whether its time is over. Wakes when it will be.
    fn overdue<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            let deadline = self.presence.visitors.present().get(&self.presence.address).map(|v| v.deadline);
            let deadline = deadline.unwrap_or_else(Instant::now);
            if self.alarm.deadline() != deadline {
                self.alarm.as_mut().reset(deadline);
            }
            match self.alarm.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                // What ran out may have been set anew meanwhile.
                Poll::Ready(()) if Instant::now() >= deadline => {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Ready(()) => {}
            }
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_read(context, into) {
            Poll::Pending => self.overdue(context),
            ready => ready,
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write(context, bytes) {
            Poll::Pending => self.overdue(context),
            ready => ready,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_flush(context) {
            Poll::Pending => self.overdue(context),
            ready => ready,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_shutdown(context) {
            Poll::Pending => self.overdue(context),
            ready => ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(ip: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, ip], port))
    }

    #[test]
    fn one_address_cannot_take_all_places() {
        let visitors = Visitors::new(8);
        let mut inside: Vec<Presence> = (0..2).filter_map(|port| visitors.enter(from(1, port))).collect();
        assert_eq!(inside.len(), 2);
        assert!(visitors.enter(from(1, 2)).is_none());
        inside.extend(
            (2..5)
                .flat_map(|ip| (0..2).map(move |port| (ip, port)))
                .filter_map(|(ip, port)| visitors.enter(from(ip, port))),
        );
        assert_eq!(inside.len(), 8);
        assert!(visitors.enter(from(9, 0)).is_none(), "the house is full");
        inside.clear();
        assert!(visitors.enter(from(1, 2)).is_some());
        assert!(visitors.present().is_empty());
    }
}
