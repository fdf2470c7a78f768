//! The contract of the bus, passed by both transports on a real PostgreSQL and a real Apache Kafka.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod nestjs;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod world;

/// Runs each case of the contract over each transport.
macro_rules! contract {
    ($($module:ident: $($case:ident),+ $(,)?;)+) => {
        mod over_embedded {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::cases::$module::$case(crate::world::World::embedded().await).await;
                }
            )+)+
        }
        mod over_kafka {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::cases::$module::$case(crate::world::World::kafka().await).await;
                }
            )+)+
        }
    };
}

contract! {
    delivery:
        an_event_is_delivered_with_its_envelope,
        a_new_group_starts_at_the_oldest_message,
        types_nobody_registered_are_passed_by,
        order_per_key_is_kept_under_concurrency,
        what_waits_together_is_handled_together_and_fails_alone,
        batches_keep_order_and_handle_each_message_once,
        a_bad_message_in_a_batch_is_parked_alone,
        an_unordered_batch_goes_on_without_its_bad_message,
        without_an_inbox_only_parked_messages_are_remembered,
        the_trace_goes_on_in_the_handler;
    groups:
        two_replicas_share_partitions_and_take_over,
        a_graceful_leave_finishes_work_and_leaves_no_lag,
        f061_replicas_that_come_and_go_change_nothing,
        f089_scaling_up_and_down_under_load_loses_doubles_and_swaps_nothing,
        f005_crashes_before_offset_commit_have_one_effect,
        f063_rewinding_the_whole_topic_changes_nothing;
    requests:
        a_request_is_answered,
        a_fault_travels,
        a_panic_and_an_unknown_type_are_answered,
        late_work_is_dropped;
    failures:
        transient_faults_are_retried_until_they_pass,
        retries_are_capped_and_the_reason_is_kept,
        f070_the_next_version_and_the_last_are_read_or_parked,
        f065_poison_is_parked_its_key_waits_and_others_go_on,
        redrive_keeps_the_order_and_stops_at_a_failure,
        discard_lets_the_rest_of_the_key_go_on,
        an_unordered_type_holds_up_nothing;
    outbox:
        f003_what_was_committed_before_a_crash_is_published_later,
        f004_publishing_again_has_one_effect,
        a_rolled_back_change_says_nothing,
        relays_that_crash_lose_nothing_and_keep_order,
        two_relays_keep_order,
        what_is_put_down_together_keeps_its_order;
}
