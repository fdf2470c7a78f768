//! Membership of a group: who is alive, who reads which partition.
//!
//! Each member beats regularly under the group's row lock: it removes members not heard of, counts its fair share of each
//! topic, takes partitions that are free and gives back what is too much. A partition moves only after its owner has
//! given it back or was removed, and each move raises its epoch, under which alone positions are stored.

use std::collections::HashMap;
use std::time::Duration;

use ferrex_postgres::{Db, SqlResult as _};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;
use crate::transport::{Partition, Position};

/// A partition in the group's books.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Claim {
    pub topic: String,
    pub partition: i32,
    pub member: Option<Uuid>,
    pub epoch: i64,
    pub position: i64,
}

/// What a member shall change about its partitions of one topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub take: Vec<i32>,
    pub give_back: Vec<i32>,
}

/// Decides for one member and topic. `members` are those that read the topic, in an order that all agree on; `claims` are
/// the topic's partitions in order.
pub(super) fn decide(me: Uuid, topic: &str, members: &[Uuid], claims: &[Claim]) -> Change {
    let mut change = Change::default();
    let Some(rank) = members.iter().position(|member| *member == me) else {
        return change;
    };
    let count = members.len();
    // Topics begin with different members, so that what does not divide evenly is spread.
    let shift = usize::try_from(xxhash_rust::xxh3::xxh3_64(topic.as_bytes()) % count as u64)
        .expect("a remainder below a number of members fits");
    let rank = (rank + shift) % count;
    let share = claims.len() / count + usize::from(rank < claims.len() % count);
    let mine: Vec<i32> = claims
        .iter()
        .filter(|claim| claim.member == Some(me))
        .map(|claim| claim.partition)
        .collect();
    if mine.len() > share {
        change.give_back = mine[share..].to_vec();
    } else {
        let free = claims
            .iter()
            .filter(|claim| claim.member.is_none())
            .map(|claim| claim.partition);
        change.take = free.take(share - mine.len()).collect();
    }
    change
}

/// What a beat found.
#[derive(Debug)]
pub(super) struct Beat {
    /// All partitions that are this member's now, with epoch and position.
    pub mine: Vec<Claim>,
    /// Those of them that it should give back.
    pub give_back: Vec<Partition>,
    /// Others should look too.
    pub changed: bool,
    /// What it leaves behind.
    pub state: GroupState,
}

/// What decides about a member's share. Two that are equal have the same members, and each partition with the same one.
#[derive(Debug)]
pub(super) struct GroupState {
    members: Vec<Uuid>,
    /// Partitions in the group's books; none is ever removed.
    claims: i64,
    /// The sum of their epochs, of which each move raises one.
    epochs: i64,
}

/// Says that the member lives, and answers whether that is all there is to do: the group is as it was left by its last
/// [`beat`], nobody in it is dead, and no partition has been added.
pub(super) async fn beat_unchanged(
    connection: &mut PgConnection,
    group: &str,
    me: Uuid,
    topics: &[String],
    session_timeout: Duration,
    left: &GroupState,
) -> Result<bool, Error> {
    sqlx::query_scalar(
        "WITH me AS (
             UPDATE member SET seen_at = clock_timestamp()
               FROM (SELECT set_config('synchronous_commit', 'off', true)) AS fast
              WHERE consumer_group = $1 AND id = $2 RETURNING id
         ), claimed AS (
             SELECT count(*) AS partitions, coalesce(sum(epoch), 0) AS epochs
               FROM claim WHERE consumer_group = $1 AND topic = ANY($3)
         )
         SELECT EXISTS (SELECT FROM me)
            AND NOT EXISTS (SELECT FROM member WHERE consumer_group = $1 AND id <> $2
                               AND seen_at < clock_timestamp() - $4 * interval '1 second')
            AND ARRAY(SELECT id FROM member WHERE consumer_group = $1 ORDER BY id) = $5
            AND partitions = $6 AND epochs = $7
            AND (SELECT count(*) FROM head WHERE topic = ANY($3)) = partitions
           FROM claimed",
    )
    .bind(group)
    .bind(me)
    .bind(topics)
    .bind(session_timeout.as_secs_f64())
    .bind(&left.members)
    .bind(left.claims)
    .bind(left.epochs)
    .fetch_one(connection)
    .await
    .doing("saying that a member still lives")
    .map_err(Error::from)
}

/// Says that the member lives, and settles its share.
pub(super) async fn beat(
    db: &Db,
    group: &str,
    me: Uuid,
    topics: &[String],
    session_timeout: Duration,
) -> Result<Beat, Error> {
    let mut tx = db.begin().await?;
    // What is lost of this in a crash is found out by the next beat.
    let locked = sqlx::query(
        "SELECT set_config('synchronous_commit', 'off', true) FROM consumer_group WHERE name = $1 FOR UPDATE",
    )
    .bind(group)
    .fetch_optional(&mut *tx)
    .await
    .doing("locking a group")?;
    if locked.is_none() {
        sqlx::query("INSERT INTO consumer_group (name) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(group)
            .execute(&mut *tx)
            .await
            .doing("creating a group")?;
        tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
        return Box::pin(beat(db, group, me, topics, session_timeout)).await;
    }
    let removed = sqlx::query(
        "WITH dead AS (
             DELETE FROM member
             WHERE consumer_group = $1 AND id <> $2 AND seen_at < clock_timestamp() - $3 * interval '1 second'
             RETURNING id
         )
         UPDATE claim SET member = NULL, epoch = epoch + 1
         FROM dead WHERE consumer_group = $1 AND member = dead.id",
    )
    .bind(group)
    .bind(me)
    .bind(session_timeout.as_secs_f64())
    .execute(&mut *tx)
    .await
    .doing("removing dead members")?;
    // xmax is zero only for a row that was inserted.
    let joined: bool = sqlx::query_scalar(
        "INSERT INTO member (consumer_group, id, topics, seen_at) VALUES ($1, $2, $3, clock_timestamp())
         ON CONFLICT (consumer_group, id) DO UPDATE SET seen_at = clock_timestamp()
         RETURNING xmax = 0",
    )
    .bind(group)
    .bind(me)
    .bind(topics)
    .fetch_one(&mut *tx)
    .await
    .doing("saying that a member lives")?;
    // A new group begins at the oldest message there is.
    sqlx::query(
        "INSERT INTO claim (consumer_group, topic, partition)
         SELECT $1, topic, partition FROM head WHERE topic = ANY($2)
         ON CONFLICT DO NOTHING",
    )
    .bind(group)
    .bind(topics)
    .execute(&mut *tx)
    .await
    .doing("listing a group's partitions")?;
    let members: Vec<(Uuid, Vec<String>)> =
        sqlx::query_as("SELECT id, topics FROM member WHERE consumer_group = $1 ORDER BY id")
            .bind(group)
            .fetch_all(&mut *tx)
            .await
            .doing("listing members")?;
    let claims: Vec<Claim> = sqlx::query_as(
        "SELECT topic, partition, member, epoch, position FROM claim
         WHERE consumer_group = $1 AND topic = ANY($2) ORDER BY topic, partition",
    )
    .bind(group)
    .bind(topics)
    .fetch_all(&mut *tx)
    .await
    .doing("reading a group's partitions")?;

    let mut by_topic: HashMap<&str, Vec<Claim>> = HashMap::new();
    for claim in &claims {
        by_topic.entry(&claim.topic).or_default().push(claim.clone());
    }
    let (mut take_topics, mut take_numbers, mut give_back) = (Vec::new(), Vec::new(), Vec::new());
    for (topic, claims) in by_topic {
        let readers: Vec<Uuid> = members
            .iter()
            .filter(|(_, topics)| topics.iter().any(|read| read == topic))
            .map(|(id, _)| *id)
            .collect();
        let change = decide(me, topic, &readers, &claims);
        give_back.extend(
            change
                .give_back
                .into_iter()
                .map(|number| Partition::new(topic, number)),
        );
        for number in change.take {
            take_topics.push(topic.to_owned());
            take_numbers.push(number);
        }
    }
    let mut state = GroupState {
        members: members.iter().map(|(id, _)| *id).collect(),
        claims: i64::try_from(claims.len()).unwrap_or(i64::MAX),
        epochs: claims.iter().map(|claim| claim.epoch).sum(),
    };
    if !take_topics.is_empty() {
        let taken = sqlx::query(
            "UPDATE claim c SET member = $2, epoch = epoch + 1
             FROM unnest($3::text[], $4::int4[]) AS t (topic, partition)
             WHERE c.consumer_group = $1 AND c.topic = t.topic AND c.partition = t.partition AND c.member IS NULL",
        )
        .bind(group)
        .bind(me)
        .bind(&take_topics)
        .bind(&take_numbers)
        .execute(&mut *tx)
        .await
        .doing("taking partitions")?;
        state.epochs += i64::try_from(taken.rows_affected()).unwrap_or(i64::MAX);
    }
    let mine = sqlx::query_as(
        "SELECT topic, partition, member, epoch, position FROM claim WHERE consumer_group = $1 AND member = $2",
    )
    .bind(group)
    .bind(me)
    .fetch_all(&mut *tx)
    .await
    .doing("reading a member's partitions")?;
    tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
    Ok(Beat {
        mine,
        give_back,
        changed: joined || removed.rows_affected() > 0,
        state,
    })
}

/// Stores positions of partitions held under these epochs; with `give_back` it gives them back in the same step.
/// Positions of partitions that are somebody else's by now are passed over.
pub(super) async fn store(
    connection: &mut PgConnection,
    group: &str,
    me: Uuid,
    positions: &[(Position, i64)],
    give_back: bool,
) -> Result<(), Error> {
    let topics: Vec<&str> = positions
        .iter()
        .map(|((partition, _), _)| &*partition.topic)
        .collect();
    let numbers: Vec<i32> = positions
        .iter()
        .map(|((partition, _), _)| partition.number)
        .collect();
    let offsets: Vec<i64> = positions.iter().map(|((_, position), _)| *position).collect();
    let epochs: Vec<i64> = positions.iter().map(|(_, epoch)| *epoch).collect();
    sqlx::query(
        "UPDATE claim c SET
             position = greatest(c.position, i.position),
             member = CASE WHEN $7 THEN NULL ELSE c.member END,
             epoch = CASE WHEN $7 THEN c.epoch + 1 ELSE c.epoch END
         FROM unnest($3::text[], $4::int4[], $5::int8[], $6::int8[]) AS i (topic, partition, position, epoch),
              (SELECT set_config('synchronous_commit', 'off', true)) AS fast
         WHERE c.consumer_group = $1 AND c.member = $2
           AND c.topic = i.topic AND c.partition = i.partition AND c.epoch = i.epoch",
    )
    .bind(group)
    .bind(me)
    .bind(topics)
    .bind(numbers)
    .bind(offsets)
    .bind(epochs)
    .bind(give_back)
    .execute(connection)
    .await
    .doing("storing positions")?;
    Ok(())
}

/// Leaves the group; partitions not given back before become free with the positions they have.
pub(super) async fn leave(db: &Db, group: &str, me: Uuid) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    sqlx::query("SELECT FROM consumer_group WHERE name = $1 FOR UPDATE")
        .bind(group)
        .execute(&mut *tx)
        .await
        .doing("locking a group")?;
    sqlx::query(
        "UPDATE claim SET member = NULL, epoch = epoch + 1 WHERE consumer_group = $1 AND member = $2",
    )
    .bind(group)
    .bind(me)
    .execute(&mut *tx)
    .await
    .doing("giving partitions back")?;
    sqlx::query("DELETE FROM member WHERE consumer_group = $1 AND id = $2")
        .bind(group)
        .bind(me)
        .execute(&mut *tx)
        .await
        .doing("leaving a group")?;
    tx.commit().await.map_err(ferrex_postgres::Error::Commit)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(owners: &[Option<u128>]) -> Vec<Claim> {
        let claim = |(number, owner): (usize, &Option<u128>)| Claim {
            topic: "t".to_owned(),
            partition: i32::try_from(number).unwrap(),
            member: owner.map(Uuid::from_u128),
            epoch: 0,
            position: 0,
        };
        owners.iter().enumerate().map(claim).collect()
    }

    fn members(count: u128) -> Vec<Uuid> {
        (1..=count).map(Uuid::from_u128).collect()
    }

    #[test]
    fn one_member_takes_all() {
        let change = decide(Uuid::from_u128(1), "t", &members(1), &claims(&[None; 4]));
        assert_eq!(
            change,
            Change {
                take: vec![0, 1, 2, 3],
                give_back: vec![]
            }
        );
    }

    #[test]
    fn a_second_member_waits_until_the_first_gives_back() {
        let claims = claims(&[Some(1); 4]);
        assert_eq!(
            decide(Uuid::from_u128(1), "t", &members(2), &claims)
                .give_back
                .len(),
            2
        );
        assert_eq!(
            decide(Uuid::from_u128(2), "t", &members(2), &claims),
            Change::default()
        );
    }

    #[test]
    fn who_is_no_member_changes_nothing() {
        assert_eq!(
            decide(Uuid::from_u128(9), "t", &members(2), &claims(&[None; 4])),
            Change::default()
        );
    }

    #[test]
    fn any_start_settles_with_every_partition_owned_and_shares_even() {
        for (count, partitions) in [(1, 4), (2, 4), (3, 4), (3, 1), (4, 3), (5, 16), (7, 16)] {
            let members = members(count);
            // The worst start: everything with one member that also may have left.
            for owner in [None, Some(1)] {
                let mut claims = claims(&vec![owner; partitions]);
                for _ in 0..3 {
                    for me in &members {
                        let change = decide(*me, "t", &members, &claims);
                        for claim in &mut claims {
                            if change.take.contains(&claim.partition) {
                                assert_eq!(claim.member.replace(*me), None, "taken from its owner");
                            }
                            if change.give_back.contains(&claim.partition) {
                                claim.member = None;
                            }
                        }
                    }
                }
                let held = |me: &Uuid| claims.iter().filter(|claim| claim.member == Some(*me)).count();
                let shares: Vec<usize> = members.iter().map(held).collect();
                assert_eq!(
                    shares.iter().sum::<usize>(),
                    partitions,
                    "{count} {partitions} {owner:?}"
                );
                assert!(
                    shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1,
                    "{shares:?}"
                );
            }
        }
    }
}
