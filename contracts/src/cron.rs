//! What `cron` says.

use ferrex_time::Timestamp;

messages! {
    /// The time of a job has come. Whoever owns the job does the work.
    CronTick {
        /// Name of the job.
        job: String,
        /// The moment it was scheduled for; (job, moment) is the key of the run.
        scheduled_for: Timestamp,
    }
}

events! { "cron.tick.v1": CronTick = "cron.tick" }
