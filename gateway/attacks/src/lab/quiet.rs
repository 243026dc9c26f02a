//! What the laboratory does is not written down: what is looked through at the end is what the gateway says of what it does.

use hyper::rt::Executor;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

/// Runs what belongs to a server of the laboratory.
#[derive(Clone)]
pub(crate) struct Quiet;

impl Quiet {
    pub(crate) fn spawn<F>(task: F)
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        tokio::spawn(task.with_subscriber(NoSubscriber::default()));
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Executor<F> for Quiet {
    fn execute(&self, task: F) {
        Self::spawn(task);
    }
}
