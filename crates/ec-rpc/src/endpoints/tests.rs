//! Agreeing, failover and rest, with answers told instead of asked for.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::*;

type Told = Result<u64, Fault>;

fn endpoints(n: u16, agree: usize) -> Result<Endpoints, ConnectError> {
    let endpoint = |port| Endpoint {
        rpc: format!("http://127.0.0.1:{port}/secret").parse().unwrap(),
        timeout: Duration::from_secs(1),
    };
    Endpoints::new(&(1..=n).map(endpoint).collect::<Vec<_>>(), 1, agree)
}

/// What `agree` of the endpoints say together, when each says this.
async fn agreed(agree: usize, told: &[Told]) -> (Endpoints, Result<u64, AskError>) {
    let endpoints = endpoints(u16::try_from(told.len()).unwrap(), agree).unwrap();
    let answer = ask(&endpoints, told).await;
    (endpoints, answer)
}

async fn ask(endpoints: &Endpoints, told: &[Told]) -> Result<u64, AskError> {
    let asked = AtomicUsize::new(0);
    let answer = endpoints.agreed("x", |_| {
        let told = told[asked.fetch_add(1, Relaxed)].clone();
        async move { told }
    });
    answer.await
}

#[tokio::test]
async fn as_many_as_must_agree_do() {
    let down = Err(Fault::Refused);
    for (agree, told, expected) in [
        (1, vec![Ok(1)], Ok(1)),
        (1, vec![down.clone()], Err("unanswered")),
        (2, vec![Ok(1), Ok(1)], Ok(1)),
        (2, vec![Ok(1), Ok(2)], Err("disagreement")),
        (2, vec![Ok(1), down.clone()], Err("unanswered")),
        (2, vec![Ok(2), Ok(1), Ok(1)], Ok(1)),
        (2, vec![down.clone(), Ok(1), Ok(1)], Ok(1)),
        (2, vec![Ok(3), Ok(2), Ok(1)], Err("disagreement")),
        (2, vec![Ok(2), down.clone(), Ok(1)], Err("disagreement")),
        (3, vec![Ok(1), Ok(1), Ok(2)], Err("disagreement")),
        (3, vec![Ok(1), Ok(2), Ok(1), down.clone(), Ok(1)], Ok(1)),
        (3, vec![Ok(1), down.clone(), Ok(1), down, Ok(2)], Err("disagreement")),
    ] {
        let (_, answer) = agreed(agree, &told).await;
        assert_eq!(answer.map_err(|error| error.kind()), expected, "{agree} of {told:?}");
    }
}

#[tokio::test]
async fn a_disagreement_names_everyone_and_no_secret() {
    let (_, answer) = agreed(2, &[Ok(7), Ok(8)]).await;
    let shown = answer.unwrap_err().to_string();
    assert_eq!(shown, "x: no 2 endpoints agree; http://127.0.0.1:1: 7; http://127.0.0.1:2: 8");
}

#[tokio::test(start_paused = true)]
async fn a_silent_endpoint_is_not_waited_for() {
    let endpoints = endpoints(3, 2).unwrap();
    let asked = AtomicUsize::new(0);
    let answer = endpoints.agreed("x", |_| {
        let at = asked.fetch_add(1, Relaxed);
        async move {
            if at == 0 {
                std::future::pending::<()>().await;
            }
            Ok::<_, Fault>(5)
        }
    });
    assert_eq!(tokio::time::timeout(Duration::from_secs(1), answer).await.unwrap(), Ok(5));
    assert_eq!(endpoints.health()[0].1.in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn faults_put_an_endpoint_to_rest_and_an_answer_wakes_it() {
    let (endpoints, _) = agreed(1, &[Err(Fault::Timeout)]).await;
    let resting = ask(&endpoints, &[Ok(1)]).await.unwrap_err();
    assert_eq!((resting.kind(), resting.is_fatal()), ("resting", false));
    let mut rests = Vec::new();
    for _ in 0..12 {
        let rest = endpoints.rest();
        rests.push(rest);
        tokio::time::advance(rest).await;
        assert_eq!(ask(&endpoints, &[Err(Fault::Refused)]).await.unwrap_err().kind(), "unanswered");
    }
    assert!(rests[0] >= Duration::from_millis(250) && rests[0] <= Duration::from_millis(500), "{rests:?}");
    assert!(rests[11] >= Duration::from_secs(15) && rests[11] <= Duration::from_secs(30), "{rests:?}");
    tokio::time::advance(endpoints.rest()).await;
    assert_eq!(ask(&endpoints, &[Ok(1)]).await, Ok(1));
    assert_eq!(endpoints.rest(), Duration::ZERO);
    let health = &endpoints.health()[0].1;
    assert_eq!((health.failures, health.answered, health.faults["refused"]), (0, 1, 12));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let limited = Err(Fault::RateLimited { retry_after: Some(Duration::from_secs(90)) });
    let (endpoints, _) = agreed(1, &[limited]).await;
    assert_eq!(endpoints.rest(), Duration::from_secs(90));
}

#[tokio::test]
async fn a_json_rpc_error_is_no_reason_to_rest() {
    let refusal = Fault::Rpc { code: -32000, message: "too many blocks".into() };
    let (endpoints, answer) = agreed(1, &[Err(refusal)]).await;
    assert!(answer.unwrap_err().may_be_size());
    assert_eq!(endpoints.rest(), Duration::ZERO);
}

#[tokio::test]
async fn a_spoilt_answer_is_asked_for_once_more() {
    let endpoints = endpoints(1, 1).unwrap();
    assert_eq!(ask(&endpoints, &[Err(Fault::Truncated), Ok(1)]).await, Ok(1));
    assert_eq!(endpoints.rest(), Duration::ZERO);
    let spoilt = ask(&endpoints, &[Err(Fault::Reset), Err(Fault::Http(502))]).await.unwrap_err();
    assert_eq!(Vec::from_iter(spoilt.faults()), [&Fault::Http(502)]);
    assert!(!endpoints.rest().is_zero());
}

#[tokio::test]
async fn a_dissenter_is_counted() {
    let (endpoints, _) = agreed(2, &[Ok(2), Ok(1), Ok(1), Ok(3)]).await;
    tokio::task::yield_now().await;
    let dissents: Vec<_> =
        endpoints.health().iter().map(|(_, health)| health.faults.get("dissent").copied().unwrap_or(0)).collect();
    assert_eq!(dissents, [1, 0, 0, 1], "one before and one after the others agreed");
}

#[tokio::test]
async fn too_many_of_another_chain_are_fatal() {
    let (endpoints, _) = agreed(2, &[Ok(1), Ok(1), Ok(1)]).await;
    endpoints.0.members[0].shut_out(1, 5);
    assert_eq!(ask(&endpoints, &[Ok(1), Ok(1)]).await, Ok(1), "the others go on without it");
    endpoints.0.members[2].shut_out(1, 5);
    let error = ask(&endpoints, &[Ok(1)]).await.unwrap_err();
    assert!(error.is_fatal());
    assert!(error.to_string().starts_with("chain id: 1 is configured, but http://127.0.0.1:1: it serves chain 5"));
}

#[tokio::test]
async fn the_first_that_answers_will_do() {
    let endpoints = endpoints(3, 2).unwrap();
    let asked = AtomicUsize::new(0);
    let told = [Err(Fault::Http(500)), Ok(4)];
    let first = endpoints.first("x", |_| {
        let told = told[asked.fetch_add(1, Relaxed)].clone();
        async move { told }
    });
    assert_eq!(first.await, Ok(4));
    assert_eq!(asked.into_inner(), 2, "the third is not asked");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for agree in [0, 3] {
        assert!(matches!(endpoints(2, agree), Err(ConnectError::AgreeOutOfRange { .. })));
    }
    let same = ["http://a/1", "http://a/2", "http://a/1"]
        .map(|rpc| Endpoint { rpc: rpc.parse().unwrap(), timeout: Duration::from_secs(1) });
    assert!(matches!(Endpoints::new(&same, 1, 2), Err(ConnectError::Duplicate(_))));
    let names: Vec<_> = Endpoints::new(&same[..2], 1, 2).unwrap().health().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["http://a", "http://a (#2)"]);
    assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
}
