//! What is counted, and served at `/metrics`.
//!
//! Labels are few and bounded: `ledger` and `archive` are names of the settings, `path` is a route as it is written in the code,
//! `status` is an HTTP status, `head` one of three. What is counted of the endpoints is what every program here counts of them, under
//! this program's name: `ec_explorer_rpc_…`.

use std::{sync::LazyLock, time::Duration};

use ec_rpc::{
    Health, count,
    metric::{Kind, Metric},
};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SetRecorderError, SharedString, Unit, counter,
    describe_counter, describe_gauge, describe_histogram, gauge, histogram, set_global_recorder,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_process::Collector;

use crate::{model::LedgerState, state::Explorer};

/// Seconds; from an answer out of memory to one that waited for a disk.
const DURATIONS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Defines a constant for each name, and the list of them all.
macro_rules! own {
    ($($kind:ident $constant:ident = $name:literal, $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = concat!("ec_explorer_", $name);)*

        /// Every metric of the explorer itself.
        pub const OWN: &[Metric] = &[$(Metric { name: $constant, kind: Kind::$kind, help: $help }),*];
    };
}

own! {
    Gauge BUILD_INFO = "build_info", "Always 1; the label `version` is the program's.";
    Gauge LEDGER_FOLLOWED = "ledger_followed", "1 while the ledger is read to its latest head.";
    Gauge LAST_READ = "ledger_last_read_timestamp_seconds", "When the ledger was read last, Unix time; 0 before the first time.";
    Gauge HEAD_BLOCK = "head_block", "Number of the newest block, by head: latest, safe, finalized.";
    Gauge FINALITY_STALLED = "finality_stalled_seconds", "For how long the finalized head has stood still below a newer one, beyond what it may; else 0.";
    Gauge SLOTS = "slots", "Slots in the ledger's database, about.";
    Gauge RECORDS = "records", "Records of archives in the ledger's database.";
    Gauge DATABASE_SIZE = "database_size_bytes", "Size of the ledger's database.";
    Gauge ARCHIVE_READABLE = "archive_readable", "1 while the archive can be read.";
    Gauge ARCHIVE_CURRENT = "archive_current", "1 while the archive is read to its end.";
    Counter REQUESTS = "requests_total", "Requests answered, by path and status.";
    Histogram REQUEST_DURATION = "request_duration_seconds", "How long an answer took, by path, the wait for a turn included; of events, until they began.";
}

/// What the names of the endpoints' metrics begin with where they are counted.
const COUNTED: &str = "ec_witness_";
/// What they begin with here.
const SHOWN: &str = "ec_explorer_";

/// The endpoints' metrics by their names here.
static OF_ENDPOINTS: LazyLock<Vec<Metric>> = LazyLock::new(|| {
    let own = |metric: &Metric| Some(Metric { name: own_name(metric.name)?.leak(), ..*metric });
    count::METRICS.iter().filter_map(own).collect()
});

/// Every metric, those of the endpoints too.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    OWN.iter().chain(OF_ENDPOINTS.iter())
}

/// The name here of a metric that is counted of an endpoint.
fn own_name(name: &str) -> Option<String> {
    Some(format!("{SHOWN}{}", name.strip_prefix(COUNTED)?))
}

/// Records what is counted of the endpoints under its names here, and all else as it is.
struct Renaming(PrometheusRecorder);

impl Renaming {
    fn name(name: KeyName) -> KeyName {
        own_name(name.as_str()).map_or(name, KeyName::from)
    }

    fn key(key: &Key) -> Key {
        own_name(key.name()).map_or_else(|| key.clone(), |name| Key::from_parts(name, key.clone().into_parts().1))
    }
}

impl Recorder for Renaming {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.0.describe_counter(Self::name(name), unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.0.describe_gauge(Self::name(name), unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.0.describe_histogram(Self::name(name), unit, help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.0.register_counter(&Self::key(key), metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.0.register_gauge(&Self::key(key), metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.0.register_histogram(&Self::key(key), metadata)
    }
}

/// What a scrape is answered from.
#[derive(Clone, Debug)]
pub struct Scraped {
    recorder: PrometheusHandle,
    process: Collector,
}

impl Scraped {
    /// Installs the recorder, with every metric described. To be done before anything is counted.
    ///
    /// # Errors
    ///
    /// There is a recorder already.
    pub fn install() -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        let durations = all().filter(|metric| metric.kind == Kind::Histogram);
        for Metric { name, .. } in durations {
            builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), &DURATIONS)?;
        }
        let built = builder.build_recorder();
        let recorder = built.handle();
        set_global_recorder(Renaming(built)).map_err(|SetRecorderError(Renaming(built))| SetRecorderError(built))?;
        for &Metric { name, kind, help } in all() {
            match kind {
                Kind::Counter => describe_counter!(name, help),
                Kind::Gauge => describe_gauge!(name, help),
                Kind::Histogram => describe_histogram!(name, Unit::Seconds, help),
            }
        }
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let process = Collector::default();
        process.describe();
        Ok(Self { recorder, process })
    }

    /// Prometheus text.
    pub fn render(&self) -> String {
        self.recorder.run_upkeep();
        self.process.collect();
        self.recorder.render()
    }
}

/// Counts a request.
pub fn count_request(path: &str, status: u16, took: Duration) {
    counter!(REQUESTS, "path" => path.to_owned(), "status" => status.to_string()).increment(1);
    histogram!(REQUEST_DURATION, "path" => path.to_owned()).record(took.as_secs_f64());
}

/// Sets the gauges by how all stands. Asks the databases, so it blocks.
pub fn gather(explorer: &Explorer) {
    let truth = |is: bool| f64::from(u8::from(is));
    for ledger in &explorer.ledgers {
        let status = ledger.status().clone();
        let name = || status.name.clone();
        gauge!(LEDGER_FOLLOWED, "ledger" => name()).set(truth(status.state == LedgerState::Following));
        gauge!(LAST_READ, "ledger" => name()).set(status.read_ms.unwrap_or_default() as f64 / 1000.0);
        let heads =
            [("latest", status.heads.latest), ("safe", status.heads.safe), ("finalized", status.heads.finalized)];
        for (head, found) in heads {
            gauge!(HEAD_BLOCK, "ledger" => name(), "head" => head).set(found.number as f64);
        }
        gauge!(FINALITY_STALLED, "ledger" => name())
            .set(status.finality_stalled_ms.unwrap_or_default() as f64 / 1000.0);
        gauge!(count::RPC_AGREE, "ledger" => name()).set(ledger.settings.agree as f64);
        ledger.health().iter().for_each(|(endpoint, health)| gather_endpoint(endpoint, health));
        gauge!(DATABASE_SIZE, "ledger" => name()).set(ledger.store.size_bytes() as f64);
        if let Ok((slots, records)) = ledger.store.read_now(|reader| reader.totals()) {
            gauge!(SLOTS, "ledger" => name()).set(slots as f64);
            gauge!(RECORDS, "ledger" => name()).set(records as f64);
        }
    }
    for archive in &explorer.archives {
        let reading = archive.reading();
        let name = || archive.settings.name.clone();
        gauge!(ARCHIVE_READABLE, "archive" => name()).set(truth(reading.trouble.is_none()));
        gauge!(ARCHIVE_CURRENT, "archive" => name()).set(truth(reading.current));
    }
}

fn gather_endpoint(endpoint: &str, health: &Health) {
    let endpoint = || endpoint.to_owned();
    gauge!(count::RPC_UP, "endpoint" => endpoint()).set(f64::from(u8::from(health.is_up())));
    counter!(count::RPC_ANSWERS, "endpoint" => endpoint()).absolute(health.answered);
    for (&kind, &count) in &health.faults {
        counter!(count::RPC_ERRORS, "endpoint" => endpoint(), "kind" => kind).absolute(count);
    }
    if let Some(head) = health.head {
        gauge!(count::RPC_HEAD_BLOCK, "endpoint" => endpoint()).set(head as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_rules() {
        let mut seen = HashSet::new();
        for Metric { name, kind, help } in all() {
            assert!(seen.insert(name), "{name} twice");
            assert!(name.starts_with(SHOWN), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
        }
    }
}
