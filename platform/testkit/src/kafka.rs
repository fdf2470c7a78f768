use std::path::Path;

use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

use crate::Proxy;
use crate::postgres::temp_dir;
use crate::servers::{KafkaOptions, KafkaServer, free_port, must};

/// A private Apache Kafka of this test process: one broker in KRaft mode that creates no topic by itself.
pub struct Kafka {
    server: Mutex<KafkaServer>,
    port: u16,
    _dir: TempDir,
}

impl Kafka {
    /// The broker that all tests of this process share; the first call starts it. Use topic and group names of your
    /// own.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Kafka> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A broker of the caller's own, for tests that stop or kill it.
    pub async fn start() -> Self {
        Self::start_on(None, String::new()).await
    }

    /// A broker that is reached through a proxy: it tells its clients the proxy's address, which [`Kafka::brokers`] is
    /// not.
    pub async fn start_behind_proxy() -> (Self, Proxy) {
        let port = free_port();
        let proxy = Proxy::start(port).await;
        let more = format!("advertised.listeners=PLAINTEXT://127.0.0.1:{}\n", proxy.port());
        (Self::start_on(Some(port), more).await, proxy)
    }

    /// A broker with two ways to it: [`Kafka::brokers`], and the proxy, of which it tells those who come that way.
    pub async fn start_beside_proxy() -> (Self, Proxy) {
        let (port, behind, controller) = (free_port(), free_port(), free_port());
        let proxy = Proxy::start(behind).await;
        let more = format!(
            "listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{}
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
",
            proxy.port()
        );
        (Self::start_on(Some(port), more).await, proxy)
    }

    /// A broker at which `admin` may do everything and `stranger` nothing. Both show their name as their password, by SASL
    /// PLAIN.
    pub async fn start_with_users() -> Self {
        let more = "listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username=\"admin\" password=\"admin\" user_admin=\"admin\" user_stranger=\"stranger\";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
";
        Self::start_on(None, more.to_owned()).await
    }

    /// A broker that is reached by TLS alone, as `localhost` and [`Kafka::port`]. It reads its key and certificate at each
    /// start from `keys`, a PKCS #12 file under the password `changeit`.
    pub async fn start_with_tls(keys: &Path) -> Self {
        let (port, inner, controller) = (free_port(), free_port(), free_port());
        let more = format!(
            "listeners=TLS://127.0.0.1:{port},PLAINTEXT://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=TLS://localhost:{port},PLAINTEXT://127.0.0.1:{inner}
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=TLS:SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
ssl.keystore.type=PKCS12
ssl.keystore.location={}
ssl.keystore.password=changeit
",
            keys.display()
        );
        Self::start_on(Some(port), more).await
    }

    async fn start_on(port: Option<u16>, more: String) -> Self {
        let dir = temp_dir("kafka");
        let options = KafkaOptions {
            dir: dir.path().to_owned(),
            port,
            grace_seconds: 0,
        };
        let server = must(KafkaServer::start_with(options, more).await);
        Self {
            port: server.port(),
            server: Mutex::new(server),
            _dir: dir,
        }
    }

    /// What `bootstrap.servers` takes.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1. A proxy in front of it sees the first connection only, unless the broker names the proxy to
    /// its clients ([`Kafka::start_behind_proxy`]).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it with SIGTERM.
    pub async fn stop(&self) {
        must(self.server.lock().await.stop().await);
    }

    /// Kills it with SIGKILL.
    pub async fn kill9(&self) {
        must(self.server.lock().await.kill9().await);
    }

    /// Starts it again on the same directory and ports.
    pub async fn start_again(&self) {
        must(self.server.lock().await.start_again().await);
    }

    /// Removes all messages of a topic from its disk while it is stopped.
    pub async fn lose(&self, topic: &str) {
        must(self.server.lock().await.lose(topic));
    }

    /// Makes it find its disk full; started again it has room.
    pub async fn fill_disk(&self) {
        must(self.server.lock().await.limit_files(1));
    }

    /// Freezes it (SIGSTOP): connections stay open and nothing answers.
    pub async fn freeze(&self) {
        must(self.server.lock().await.freeze());
    }

    /// Ends a [`Kafka::freeze`].
    pub async fn thaw(&self) {
        must(self.server.lock().await.thaw());
    }
}
