use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// Where the servers of this crate's own run: a thread that outlives every test's own runtime, so that several tests
/// may share one.
pub(crate) fn background() -> &'static Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("ferrex-testkit")
                .enable_all()
                .build()
                .expect("a thread can be started")
        })
        .handle()
}
