//! The admin port: what a platform asks about the process. There is no authentication, so it says nothing that is secret and
//! names no account.
//!
//! It has a thread of its own. A probe that competes with the calls would fail when there are most of them, which is when the
//! process must not be taken for dead.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Error;
use super::health::Health;
use crate::config::{self, Config};
use crate::telemetry;

/// How often the runtime that serves calls shows that it lives, and for how long it may not.
const BEAT: Duration = Duration::from_secs(1);
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// What Prometheus calls the format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An admin port that is listened on, and answers nothing yet.
pub(super) struct Admin(TcpListener);

/// An admin port that answers, until this is dropped.
pub(super) struct Open {
    _stop: DropGuard,
    _heart: JoinSet<()>,
}

impl Admin {
    /// Listens, if it is to.
    pub(super) fn bind(config: &config::Admin) -> Result<Option<Self>, Error> {
        config.enabled.then(|| listen(config.listen).map(Self).map_err(cannot(config))).transpose()
    }

    /// Answers from now on.
    pub(super) fn open(self, health: Health, config: &Config) -> Result<Open, Error> {
        self.answer(health, config).map_err(cannot(&config.admin))
    }

    fn answer(self, health: Health, config: &Config) -> io::Result<Open> {
        let Self(listener) = self;
        tracing::info!(address = %listener.local_addr()?, "admin port");
        let (stop, mut heart, last) = (CancellationToken::new(), JoinSet::new(), Arc::new(Mutex::new(Instant::now())));
        heart.spawn(beat(Arc::clone(&last)));
        let routes = routes(last, health, serde_json::to_string_pretty(config)?);
        let (stopped, runtime) = (stop.clone().cancelled_owned(), runtime()?);
        std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
            if let Err(error) = runtime.block_on(serve(listener, routes, stopped)) {
                tracing::error!(error = &error as &dyn std::error::Error, "the admin port failed");
            }
        })?;
        Ok(Open { _stop: stop.drop_guard(), _heart: heart })
    }
}

fn cannot(config: &config::Admin) -> impl Fn(io::Error) -> Error + use<> {
    let address = config.listen;
    move |source| Error::Admin { address, source }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn serve(
    listener: TcpListener,
    routes: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped).await
}

/// Shows that the runtime it runs in gets to its tasks.
async fn beat(last: Arc<Mutex<Instant>>) {
    loop {
        *last.lock() = Instant::now();
        sleep(BEAT).await;
    }
}

fn routes(last: Arc<Mutex<Instant>>, health: Health, config: String) -> Router {
    let live = move || async move {
        let alive = last.lock().elapsed() < DEAD_AFTER;
        answer(if alive { Ok(()) } else { Err("the runtime is stuck") })
    };
    let ready = move || async move { answer(health.state()) };
    let metrics = || async { ([(header::CONTENT_TYPE, EXPOSITION)], telemetry::scrape()) };
    let config = move || async move { ([(header::CONTENT_TYPE, "application/json")], config) };
    let other = || async { (StatusCode::NOT_FOUND, "there are /livez, /readyz, /metrics and /config\n") };
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/config", get(config))
        .fallback(other)
}

fn answer(state: Result<(), &str>) -> impl IntoResponse {
    match state {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tonic_health::server::HealthReporter;
    use tower::ServiceExt;

    use super::*;

    async fn live(last: Instant) -> StatusCode {
        let health = Health::starting(HealthReporter::new()).await;
        let routes = routes(Arc::new(Mutex::new(last)), health, String::new());
        routes.oneshot(Request::get("/livez").body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_runtime_that_gets_to_none_of_its_tasks_is_dead_after_a_while() {
        let now = Instant::now();
        assert_eq!(live(now).await, StatusCode::OK);
        assert_eq!(live(now.checked_sub(DEAD_AFTER).unwrap()).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
