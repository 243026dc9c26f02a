use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, StatusCode};
use hyper::body::Frame;
use keyward_wire::error::{ErrorBody, ErrorCode};

use super::routes::uri;
use crate::http::{Guard, ROUTES, Verb};
use crate::testing::TestServer;

async fn status(server: &TestServer, method: &str, path: &str, body: Body) -> StatusCode {
    let request = Request::builder().method(method).uri(uri(path)).header("content-type", "application/json");
    server.send(request.body(body).unwrap()).await.status
}

fn blanks(size: usize) -> Body {
    Body::from(vec![b' '; size])
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let server = TestServer::start().await;
    for (path, most) in [("/v1/auth/login", 8 * 1024), ("/v1/signup", 64 * 1024)] {
        assert_eq!(status(&server, "POST", path, blanks(most)).await, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(status(&server, "POST", path, blanks(most + 1)).await, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let owner = server.owner("alice@example.com").await;
    for (path, most) in [("/v1/credentials", 8 * 1024), ("/v1/secrets/get", 1024 * 1024)] {
        for (size, code) in [(most, ErrorCode::InvalidRequest), (most + 1, ErrorCode::TooLarge)] {
            let request = Request::post(path).header("content-type", "application/json");
            let request = request.header("authorization", &owner.session).body(blanks(size)).unwrap();
            assert_eq!(server.send(request).await.json::<ErrorBody>().error.code, code, "{path}");
        }
    }
}

#[tokio::test]
async fn reading_and_deleting_take_no_body() {
    let server = TestServer::start().await;
    for route in ROUTES.iter().filter(|route| route.method != Verb::Post) {
        let answer = status(&server, route.method.as_str(), route.path, blanks(1)).await;
        assert_eq!(answer, StatusCode::PAYLOAD_TOO_LARGE, "{}", route.path);
    }
}

#[tokio::test]
async fn nobody_s_body_is_read_before_somebody_is_proved() {
    let server = TestServer::start().await;
    for route in ROUTES.iter().filter(|route| route.guard != Guard::Anybody && route.method == Verb::Post) {
        let polled = Arc::new(AtomicBool::new(false));
        let body = Body::new(Watched(Arc::clone(&polled)));
        assert_eq!(status(&server, "POST", route.path, body).await, StatusCode::UNAUTHORIZED);
        assert!(!polled.load(Ordering::SeqCst), "{}", route.path);
    }
}

/// A body that knows whether somebody began to read it.
struct Watched(Arc<AtomicBool>);

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.store(true, Ordering::SeqCst);
        Poll::Ready(None)
    }
}
