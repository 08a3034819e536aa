//! The AWS SDK for Rust. One call in flight blocks on a runtime of the current thread; many are tasks of it.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvokeWithResponseStreamResponseEvent as Event;
use peers::{BURST, Case, Meter, PAUSE};
use tokio::sync::Barrier;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let case = Arc::new(Case::from_arguments());
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest()).endpoint_url(&case.url);
    let client = Client::new(&loader.load().await);
    match (case.name.as_str(), case.in_flight) {
        ("first", _) => {
            call(&client, &case, "f").await;
            Meter::start().finish(1);
        }
        ("burst", tasks) => {
            for (turn, function) in BURST.into_iter().enumerate() {
                tokio::time::sleep(PAUSE * turn as u32).await;
                in_flight(&client, &case, tasks, 0, 1, function).await;
            }
            Meter::start().finish(1);
        }
        ("stream", _) => streams(&client, &case).await,
        (_, 1) => {
            for _ in 0..case.warm_up() {
                call(&client, &case, "f").await;
            }
            let meter = Meter::start();
            for _ in 0..case.calls {
                call(&client, &case, "f").await;
            }
            meter.finish(case.calls);
        }
        (_, tasks) => {
            let of_each = case.calls / tasks;
            in_flight(&client, &case, tasks, case.warm_up(), of_each, "f").await.finish(of_each * tasks);
        }
    }
}

async fn call(client: &Client, case: &Case, function: &str) {
    let output = client.invoke().function_name(function).payload(Blob::new(&case.payload[..])).send().await.unwrap();
    assert_eq!(output.status_code, 200);
    assert_eq!(output.payload.unwrap().as_ref().len(), case.payload.len());
}

/// Runs tasks that each make a number of calls, and returns the measurement that began when all were warm.
async fn in_flight(
    client: &Client,
    case: &Arc<Case>,
    tasks: usize,
    warm_up: usize,
    of_each: usize,
    function: &'static str,
) -> Meter {
    let ready = Arc::new(Barrier::new(tasks + 1));
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let (client, case, ready) = (client.clone(), case.clone(), ready.clone());
            tokio::spawn(async move {
                for _ in 0..warm_up {
                    call(&client, &case, function).await;
                }
                ready.wait().await;
                for _ in 0..of_each {
                    call(&client, &case, function).await;
                }
            })
        })
        .collect();
    ready.wait().await;
    let meter = Meter::start();
    for task in tasks {
        task.await.unwrap();
    }
    meter
}

async fn streams(client: &Client, case: &Case) {
    stream(client, case.payload.len().min(65_536)).await;
    let meter = Meter::start();
    let mut first_bytes = Vec::new();
    for _ in 0..case.calls {
        first_bytes.push(stream(client, case.payload.len()).await);
    }
    meter.finish_stream(case.calls, Some(first_bytes));
}

/// Reads a response of `size` bytes, and returns the time to its first ones.
async fn stream(client: &Client, size: usize) -> Duration {
    let begin = Instant::now();
    let name = format!("stream-{size}");
    let request = client.invoke_with_response_stream().function_name(name).payload(Blob::new(&b"{}"[..]));
    let mut output = request.send().await.unwrap();
    let (mut first_byte, mut received, mut complete) = (None, 0, false);
    while let Some(event) = output.event_stream.recv().await.unwrap() {
        match event {
            Event::PayloadChunk(chunk) => {
                first_byte.get_or_insert_with(|| begin.elapsed());
                received += chunk.payload.unwrap().as_ref().len();
            }
            Event::InvokeComplete(end) => complete = end.error_code.is_none(),
            _ => panic!("{event:?}"),
        }
    }
    assert!(complete);
    assert_eq!(received, size);
    first_byte.unwrap()
}
