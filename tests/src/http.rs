//! HTTP/1.1 by hand, one request a connection: what a test sends and sees is exactly what is written here.

use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A request. Its length and `connection: close` are added when it is sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, …
    pub method: String,
    /// Path with query.
    pub target: String,
    /// The headers, in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The headers, in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// `GET target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST target` with JSON.
    pub fn post(target: &str, body: &Value) -> Self {
        let mut request = Self::new("POST", target).header("content-type", "application/json");
        request.body = serde_json::to_vec(body).unwrap();
        request
    }

    /// The request with this header, too.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_lowercase(), value.into()));
        self
    }

    /// The request with this `Authorization`.
    #[must_use]
    pub fn by(self, authorization: &str) -> Self {
        self.header("authorization", authorization)
    }

    /// Path without query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// `GET /path`.
    pub fn route(&self) -> String {
        format!("{} {}", self.method, self.path())
    }

    /// Every byte of it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        write_rest(&mut bytes, &self.headers, &self.body);
        bytes
    }

    /// Reads one; `None` at the end of the connection.
    ///
    /// # Errors
    /// If it breaks off.
    pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some((first, headers)) = head(stream)? else { return Ok(None) };
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let body = body(stream, &headers)?;
        Ok(Some(Self { method, target, headers, body }))
    }
}

impl Answer {
    /// An answer without headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The answer with this header, too.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_lowercase(), value.into()));
        self
    }

    /// The first header of this name.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The body as a type of the wire.
    pub fn read<T: DeserializeOwned>(&self) -> T {
        keyward_wire::json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    /// Changes the body as JSON.
    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = self.json();
        change(&mut value);
        self.body = serde_json::to_vec(&value).unwrap();
    }

    /// Every byte of it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} x\r\n", self.status).into_bytes();
        write_rest(&mut bytes, &self.headers, &self.body);
        bytes
    }
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// If there is no connection, or it breaks off.
pub fn send(to: SocketAddr, request: &Request) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&request.bytes())?;
    let mut stream = BufReader::new(stream);
    let Some((first, headers)) = head(&mut stream)? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status: u16 = status.ok_or(io::ErrorKind::InvalidData)?;
    let none = request.method == "HEAD" || matches!(status, 204 | 304);
    let body = if none { Vec::new() } else { body(&mut stream, &headers)? };
    Ok(Answer { status, headers, body })
}

type Head = (String, Vec<(String, String)>);

fn head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line)? == 0 {
            return if lines.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let header = |line: String| {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        (name.to_lowercase(), value.trim().to_owned())
    };
    Ok(Some((first, lines.map(header).collect())))
}

fn body(stream: &mut impl BufRead, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
    assert!(!headers.iter().any(|(name, _)| name == "transfer-encoding"), "chunks are not read here");
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize =
        length.map_or(Ok(0), |(_, value)| value.parse()).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn write_rest(bytes: &mut Vec<u8>, headers: &[(String, String)], body: &[u8]) {
    let ours = |name: &str| matches!(name, "content-length" | "connection");
    for (name, value) in headers.iter().filter(|(name, _)| !ours(name)) {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).into_bytes());
    bytes.extend(body);
}

const PATIENCE: Duration = Duration::from_mins(1);
