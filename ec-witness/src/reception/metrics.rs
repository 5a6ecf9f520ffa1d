//! The names of the recorder's metrics. The label `track` has at most as many values as a broadcast has tracks.

use ec_rpc::metric::metrics;
use ec_subscribe::Loss;
use metrics::{counter, gauge};

metrics! {
    /// Every metric of the recorder.
    const OWN;
    Gauge CONNECTED = "recorder_connected", "1 while the relay is connected.";
    Gauge LIVE = "recorder_broadcast_live", "1 while a route to the broadcast stands.";
    Gauge TRACKS = "recorder_tracks", "Tracks that are received now.";
    Counter CONNECTIONS = "recorder_connections_total", "Connections to the relay that were made.";
    Counter ROUTES = "recorder_routes_total", "Times that a route to the broadcast came to stand, or led to another publisher.";
    Counter GROUPS = "recorder_groups_total", "Groups recorded, by track.";
    Counter BYTES = "recorder_bytes_total", "Bytes of these, by track.";
    Counter KNOWN = "recorder_known_groups_total", "Groups that came again and were in the index already, by track.";
    Counter LOST = "recorder_lost_groups_total", "Groups that were begun and not kept, by reason.";
    Gauge LAST_GROUP = "recorder_last_group_timestamp_seconds", "When the newest group of a track was complete, Unix time.";
}

/// Describes every metric, and sets to zero what is without the label `track`, so that a rate exists from the start.
pub fn describe() {
    crate::metrics::describe(OWN);
    for unlabelled in [CONNECTED, LIVE, TRACKS] {
        gauge!(unlabelled).set(0.0);
    }
    for unlabelled in [CONNECTIONS, ROUTES] {
        counter!(unlabelled).increment(0);
    }
    for reason in Loss::ALL {
        counter!(LOST, "reason" => reason.name()).increment(0);
    }
}
