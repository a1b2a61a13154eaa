//! A TCP proxy between a client and its broker that can do what networks do: delay, trickle, swallow, cut, reset.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

/// How much is read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// So many blows may strike before a connection has felt the first: tests strike a few in a row at most.
const BLOWS_MAX: usize = 64;

/// How bytes travel from now on, on every connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// At once.
    Clear,
    /// Each chunk that is read waits so long first.
    Slow(Duration),
    /// So many bytes at a time, with a pause before each.
    Trickle {
        /// How many.
        bytes: usize,
        /// The pause.
        pause: Duration,
    },
    /// Not at all. Nothing is lost either: what is held back goes on when the weather changes, as TCP would send it again.
    BlackHole,
    /// As in a black hole, but only what the broker says: it hears the client well.
    Deaf,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The program under test.
    Client,
    /// The broker.
    Broker,
}

/// What happens once to every connection that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Blow {
    Cut,
    Reset,
    HalfOpen,
    /// The broker gets these bytes on the connection from this port, as if the client had sent them.
    Inject(u16, Arc<[u8]>),
}

/// Keeps writers from writing into each other's bytes.
type Shield<T> = tokio::sync::Mutex<T>;

/// A proxy to a port of this machine. Dropping it ends it and cuts its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    weather: watch::Sender<Weather>,
    blows: broadcast::Sender<Blow>,
    door: watch::Sender<Door>,
    trap: Mutex<Option<Trap>>,
    sprung: watch::Sender<u64>,
    accepted: Mutex<Vec<Instant>>,
    open: AtomicUsize,
    injected: AtomicUsize,
}

/// Whether the proxy takes connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    Shut,
    Gone,
}

/// Cuts the connection in which these bytes come along, before they have passed.
#[derive(Debug)]
struct Trap {
    side: Side,
    bytes: Vec<u8>,
}

impl Proxy {
    /// Starts a proxy to this port. It runs on a thread of its own, so that nothing the test does holds it up.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn start(upstream: u16) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            upstream: SocketAddr::from((Ipv4Addr::LOCALHOST, upstream)),
            weather: watch::Sender::new(Weather::Clear),
            blows: broadcast::Sender::new(BLOWS_MAX),
            door: watch::Sender::new(Door::Open),
            trap: Mutex::default(),
            sprung: watch::Sender::new(0),
            accepted: Mutex::default(),
            open: AtomicUsize::new(0),
            injected: AtomicUsize::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || runtime.block_on(serve(listener, address, serving)));
        Self { address, shared, thread: Some(thread) }
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes how bytes travel, on all connections that are open and on those to come.
    pub fn weather(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
    }

    /// Ends every connection as a program does that closes its socket.
    pub fn cut(&self) {
        self.strike(Blow::Cut);
    }

    /// Ends every connection with a TCP reset.
    pub fn reset(&self) {
        self.strike(Blow::Reset);
    }

    /// The broker loses every connection; the clients are not told, and what they write is swallowed.
    pub fn half_open(&self) {
        self.strike(Blow::HalfOpen);
    }

    /// Sends bytes to the broker as if they were the client's, on the connection that the broker sees come from this port.
    pub fn inject(&self, port: u16, bytes: &[u8]) {
        self.strike(Blow::Inject(port, bytes.into()));
    }

    /// How often [`inject`](Self::inject) has found its connection.
    #[must_use]
    pub fn injected(&self) -> usize {
        self.shared.injected.load(Ordering::SeqCst)
    }

    fn strike(&self, blow: Blow) {
        // Nobody hears it when no connection is open.
        let _ = self.shared.blows.send(blow);
    }

    /// Cuts the next connection in which `side` sends these bytes, before they have passed. Once.
    pub fn cut_at(&self, side: Side, bytes: &[u8]) {
        let trap = Trap { side, bytes: bytes.to_vec() };
        *self.shared.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(trap);
    }

    /// How many connections [`cut_at`](Self::cut_at) has cut.
    #[must_use]
    pub fn sprung(&self) -> u64 {
        *self.shared.sprung.borrow()
    }

    /// Refuses connections from now on; those that are open stay open.
    pub fn shut(&self) {
        self.shared.door.send_replace(Door::Shut);
    }

    /// Takes connections again.
    pub fn open(&self) {
        self.shared.door.send_replace(Door::Open);
    }

    /// When connections were accepted, in order.
    #[must_use]
    pub fn accepted(&self) -> Vec<Instant> {
        self.shared.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.door.send_replace(Door::Gone);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes connections until the proxy is dropped.
async fn serve(listener: std::net::TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut listener = Some(TcpListener::from_std(listener).expect("a listener"));
    let mut door = shared.door.subscribe();
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted => {
                let Ok((client, _)) = accepted else { continue };
                shared.accepted.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                connections.spawn(connection(client, Arc::clone(&shared)));
            }
            _ = door.changed() => {
                let now = *door.borrow_and_update();
                match now {
                    Door::Open if listener.is_none() => listener = TcpListener::bind(address).await.ok(),
                    Door::Open => {}
                    Door::Shut => listener = None,
                    Door::Gone => return,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, shared: Arc<Shared>) {
    shared.open.fetch_add(1, Ordering::SeqCst);
    let _ = carry(client, &shared).await;
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

/// Carries bytes both ways until one side ends or a blow strikes.
async fn carry(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut blows = shared.blows.subscribe();
    let mut broker = TcpStream::connect(shared.upstream).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let blow = {
        let own_port = broker.local_addr()?.port();
        let (from_client, to_client) = client.split();
        let (from_broker, to_broker) = broker.split();
        let (to_client, to_broker) = (Shield::new(to_client), Shield::new(to_broker));
        let client_to_broker = pump(from_client, &to_broker, Side::Client, shared);
        let broker_to_client = pump(from_broker, &to_client, Side::Broker, shared);
        tokio::pin!(client_to_broker, broker_to_client);
        loop {
            let blow = tokio::select! {
                ended = &mut client_to_broker => return ended,
                ended = &mut broker_to_client => return ended,
                blow = blows.recv() => blow,
            };
            match blow {
                Ok(Blow::Inject(port, bytes)) if port == own_port => {
                    shared.injected.fetch_add(1, Ordering::SeqCst);
                    to_broker.lock().await.write_all(&bytes).await?;
                }
                Ok(Blow::Inject(..)) => {}
                blow => break blow,
            }
        }
    };
    match blow {
        Ok(Blow::Reset) => {
            client.set_zero_linger()?;
            broker.set_zero_linger()
        }
        Ok(Blow::HalfOpen) => {
            drop(broker);
            swallow(&mut client, &mut blows).await
        }
        Ok(Blow::Cut | Blow::Inject(..)) | Err(_) => Ok(()),
    }
}

/// Reads what nobody will hear, until the client gives up or the next blow ends the connection.
async fn swallow(client: &mut TcpStream, blows: &mut broadcast::Receiver<Blow>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        tokio::select! {
            read = client.read(&mut buffer) => if read? == 0 { return Ok(()) },
            blow = blows.recv() => {
                if blow == Ok(Blow::Reset) {
                    client.set_zero_linger()?;
                }
                return Ok(());
            }
        }
    }
}

/// Carries bytes one way until their sender ends, or the trap springs.
async fn pump(
    mut from: ReadHalf<'_>,
    to: &Shield<WriteHalf<'_>>,
    side: Side,
    shared: &Shared,
) -> io::Result<()> {
    let mut weather = shared.weather.subscribe();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut before = Vec::new();
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 || shared.springs(side, &mut before, &buffer[..read]) {
            return Ok(());
        }
        let mut left = &buffer[..read];
        while !left.is_empty() {
            let now = *weather.borrow_and_update();
            let count = match (now, side) {
                (Weather::Clear, _) | (Weather::Deaf, Side::Client) => left.len(),
                (Weather::Slow(delay), _) => {
                    tokio::time::sleep(delay).await;
                    left.len()
                }
                (Weather::Trickle { bytes, pause }, _) => {
                    tokio::time::sleep(pause).await;
                    bytes.min(left.len())
                }
                (Weather::BlackHole, _) | (Weather::Deaf, Side::Broker) => {
                    weather.changed().await.map_err(io::Error::other)?;
                    continue;
                }
            };
            to.lock().await.write_all(&left[..count]).await?;
            left = &left[count..];
        }
    }
}

impl Shared {
    /// Whether the bytes of the trap are in what has been sent, of which `before` is what came before `now`.
    fn springs(&self, side: Side, before: &mut Vec<u8>, now: &[u8]) -> bool {
        let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Trap { bytes, .. }) = trap.as_ref().filter(|trap| trap.side == side) else {
            before.clear();
            return false;
        };
        before.extend_from_slice(now);
        let springs = before.windows(bytes.len()).any(|window| window == bytes);
        let kept = before.len().min(bytes.len() - 1);
        before.drain(..before.len() - kept);
        if springs {
            *trap = None;
            self.sprung.send_modify(|sprung| *sprung += 1);
        }
        springs
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// A server that sends back what it reads, and a client connected to it through a proxy.
    fn echo() -> (Proxy, TcpStream) {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap().port());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let _ = io::copy(&mut stream.try_clone().unwrap(), &mut stream);
                });
            }
        });
        let client = connected(&proxy);
        (proxy, client)
    }

    fn connected(proxy: &Proxy) -> TcpStream {
        let client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        client
    }

    fn round_trip(client: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
        client.write_all(text)?;
        let mut answer = vec![0; text.len()];
        client.read_exact(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn bytes_pass_and_wait_and_trickle() {
        let (proxy, mut client) = echo();
        assert_eq!(round_trip(&mut client, b"at once").unwrap(), b"at once");
        proxy.weather(Weather::Slow(Duration::from_millis(30)));
        let started = Instant::now();
        assert_eq!(round_trip(&mut client, b"later").unwrap(), b"later");
        assert!(started.elapsed() >= Duration::from_millis(60));
        proxy.weather(Weather::Trickle { bytes: 2, pause: Duration::from_millis(5) });
        assert_eq!(round_trip(&mut client, b"bit by bit").unwrap(), b"bit by bit");
        assert_eq!(proxy.accepted().len(), 1);
    }

    #[test]
    fn a_black_hole_gives_back_what_it_took() {
        for held in [Weather::BlackHole, Weather::Deaf] {
            let (proxy, mut client) = echo();
            assert_eq!(round_trip(&mut client, b"a").unwrap(), b"a");
            proxy.weather(held);
            let error = round_trip(&mut client, b"held").unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            proxy.weather(Weather::Clear);
            let mut late = [0; 4];
            client.read_exact(&mut late).unwrap();
            assert_eq!(&late, b"held");
        }
    }

    #[test]
    fn connections_end_as_they_are_told() {
        let (proxy, mut client) = echo();
        round_trip(&mut client, b"a").unwrap();
        proxy.cut();
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0, "the end of the stream");

        let mut client = connected(&proxy);
        round_trip(&mut client, b"a").unwrap();
        proxy.reset();
        assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);

        let mut client = connected(&proxy);
        round_trip(&mut client, b"a").unwrap();
        proxy.half_open();
        let error = round_trip(&mut client, b"swallowed").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        assert_eq!(proxy.connections(), 1);
    }

    #[test]
    fn a_trap_springs_once_across_chunks() {
        let (proxy, mut client) = echo();
        proxy.cut_at(Side::Client, b"abc");
        assert_eq!(round_trip(&mut client, b"xa").unwrap(), b"xa");
        assert_eq!(round_trip(&mut client, b"ab").unwrap(), b"ab");
        client.write_all(b"cd").unwrap();
        assert_eq!(client.read(&mut [0; 8]).unwrap_or(0), 0);
        assert_eq!(proxy.sprung(), 1);
        assert_eq!(round_trip(&mut connected(&proxy), b"abc").unwrap(), b"abc");
    }

    #[test]
    fn a_shut_door_refuses() {
        let (proxy, mut client) = echo();
        round_trip(&mut client, b"a").unwrap();
        proxy.shut();
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(("127.0.0.1", proxy.port())).is_ok() {
            assert!(Instant::now() < deadline, "it still takes connections");
        }
        round_trip(&mut client, b"still open").unwrap();
        proxy.open();
        while TcpStream::connect(("127.0.0.1", proxy.port())).is_err() {
            assert!(Instant::now() < deadline, "it takes no connections");
        }
    }
}
