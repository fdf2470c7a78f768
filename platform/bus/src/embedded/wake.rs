//! Waking readers: within the process directly, in other processes by NOTIFY.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use ferrex_postgres::{Db, Dedicated, SqlResult as _};
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const CHANNEL: &str = "ferrex_bus";
/// A NOTIFY carries less than 8000 bytes.
const PAYLOAD_BYTES_MAX: usize = 7_000;
/// What precedes the name of a group whose membership changed; no topic begins with it.
const GROUP_MARK: char = '@';

/// What one reader waits for.
pub(super) struct Bell {
    topics: HashSet<String>,
    group: String,
    /// Something was published to one of its topics.
    pub records: Notify,
    /// The membership of its group changed.
    pub membership: Notify,
}

/// What precedes the name of the house that tells; neither a topic nor a group begins with it.
const HOUSE_MARK: char = '#';

/// All bells of this process for one log: whoever publishes rings them itself, so that roles which share a process do not
/// wait for the database to pass the word.
struct House {
    /// Tells what was told from here.
    name: String,
    bells: Mutex<Vec<Weak<Bell>>>,
    /// Whose turn it is to listen to other processes: one connection hears for all of this one.
    listening: tokio::sync::Mutex<()>,
}

/// By where the log is. One log that goes by two names has two houses, which tell each other like two processes.
static HOUSES: LazyLock<Mutex<HashMap<String, Weak<House>>>> = LazyLock::new(Mutex::default);

impl House {
    fn at(address: &str) -> Arc<Self> {
        let mut houses = HOUSES.lock().unwrap_or_else(PoisonError::into_inner);
        houses.retain(|_, house| house.strong_count() > 0);
        if let Some(house) = houses.get(address).and_then(Weak::upgrade) {
            return house;
        }
        let house = Arc::new(Self {
            name: format!("{HOUSE_MARK}{:032x}", rand::random::<u128>()),
            bells: Mutex::default(),
            listening: tokio::sync::Mutex::default(),
        });
        houses.insert(address.to_owned(), Arc::downgrade(&house));
        house
    }
}

/// The bells of this process, and what is to be told to other processes.
pub(super) struct Wake {
    house: Arc<House>,
    untold: Mutex<BTreeSet<String>>,
    something: Notify,
    tasks: TaskTracker,
}

impl Wake {
    /// Starts listening and telling until `stop` is cancelled.
    pub fn start(db: &Db, address: &str, stop: &CancellationToken) -> Arc<Self> {
        let wake = Arc::new(Self {
            house: House::at(address),
            untold: Mutex::default(),
            something: Notify::new(),
            tasks: TaskTracker::new(),
        });
        wake.tasks
            .spawn(listen(Arc::clone(&wake), db.clone(), stop.clone()));
        wake.tasks
            .spawn(tell(Arc::clone(&wake), db.clone(), stop.clone()));
        wake.tasks.close();
        wake
    }

    /// Returns when listening and telling have ended.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }

    /// A bell for a reader of topics in a group (empty: in none). It is silent when dropped.
    pub fn bell(&self, topics: HashSet<String>, group: String) -> Arc<Bell> {
        let bell = Arc::new(Bell {
            topics,
            group,
            records: Notify::new(),
            membership: Notify::new(),
        });
        let mut bells = self.house.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.retain(|bell| bell.strong_count() > 0);
        bells.push(Arc::downgrade(&bell));
        bell
    }

    /// Something was committed to these topics.
    pub fn published(&self, topics: &[String]) {
        self.announce(topics.iter().cloned());
    }

    /// A member came or went, or gave partitions back.
    pub fn regrouped(&self, group: &str) {
        self.announce([format!("{GROUP_MARK}{group}")]);
    }

    fn announce(&self, names: impl IntoIterator<Item = String>) {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            self.ring(&name);
            untold.insert(name);
        }
        drop(untold);
        self.something.notify_one();
    }

    /// Somebody told names; what was told from this house was rung before.
    fn told(&self, payload: &str) {
        if payload.split('\n').next() != Some(&*self.house.name) {
            payload.split('\n').for_each(|name| self.ring(name));
        }
    }

    fn ring(&self, name: &str) {
        let bells = self.house.bells.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in bells.iter().filter_map(Weak::upgrade) {
            match name.strip_prefix(GROUP_MARK) {
                Some(group) if group == bell.group => bell.membership.notify_one(),
                None if bell.topics.contains(name) => bell.records.notify_one(),
                _ => {}
            }
        }
    }

    fn ring_all(&self) {
        let bells = self.house.bells.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in bells.iter().filter_map(Weak::upgrade) {
            bell.records.notify_one();
            bell.membership.notify_one();
        }
    }

    /// As much of what is untold as one payload holds.
    fn payload(&self) -> Option<String> {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        let first = untold.pop_first()?;
        let mut payload = format!("{}\n{first}", self.house.name);
        while let Some(name) = untold.pop_first() {
            if payload.len() + name.len() >= PAYLOAD_BYTES_MAX {
                untold.insert(name);
                break;
            }
            payload.push('\n');
            payload.push_str(&name);
        }
        Some(payload)
    }
}

async fn listen(wake: Arc<Wake>, db: Db, stop: CancellationToken) {
    let _turn = tokio::select! {
        () = stop.cancelled() => return,
        turn = wake.house.listening.lock() => turn,
    };
    while !stop.is_cancelled() {
        let listening = async {
            let mut listener = PgListener::connect_with(db.pool()).await?;
            listener.listen(CHANNEL).await?;
            // What was told before is not heard.
            wake.ring_all();
            loop {
                // None: the connection broke and is made again by the next call; what was said meanwhile is lost.
                match listener.try_recv().await? {
                    Some(told) => wake.told(told.payload()),
                    None => wake.ring_all(),
                }
            }
        };
        let ended: Result<(), sqlx::Error> = tokio::select! {
            () = stop.cancelled() => return,
            ended = listening => ended,
        };
        if let Err(error) = ended {
            // Readers poll meanwhile.
            tracing::debug!(%error, "listening for messages failed, trying again");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}

/// One NOTIFY for all that was published while the one before was under way.
async fn tell(wake: Arc<Wake>, db: Db, stop: CancellationToken) {
    let mut connection = Dedicated::new(&db);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = wake.something.notified() => {}
        }
        while let Some(payload) = wake.payload() {
            // Not worth waiting for the disk: who misses it polls.
            let notify =
                sqlx::query("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)")
                    .bind(CHANNEL)
                    .bind(payload);
            let told = connection
                .run(async |connection| notify.execute(connection).await.doing("waking other processes"))
                .await;
            if let Err(error) = told {
                tracing::debug!(%error, "waking other processes failed, they will poll");
            }
        }
    }
}
