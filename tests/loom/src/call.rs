//! A call of the model: all that a queue knows of it is its deadline.

use std::future::{Future, pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::request::invocation::Invocation;
use crate::status::{Execution, Status};

/// What every call of a client shares.
pub(crate) struct Shared;

impl Shared {
    pub(crate) fn refuse(&self, _: &Invocation, error: &Error) -> Outcome {
        Outcome::refused(error)
    }
}

pub(crate) struct Call {
    invocation: Invocation,
    deadline: Deadline,
}

impl Call {
    pub(crate) fn new(_: Arc<Shared>, invocation: &Invocation, _: Instant) -> Result<Box<Self>, Error> {
        match invocation {
            Invocation::Refused => Err(Error::argument("refused")),
            _ => Ok(Box::new(Self { invocation: *invocation, deadline: Deadline::new(None) })),
        }
    }

    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Returns whether the hub breaks when it drives the call.
    pub(crate) fn breaks_the_hub(&self) -> bool {
        matches!(self.invocation, Invocation::BreaksTheHub)
    }

    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<Outcome> {
        let ended = match self.invocation {
            Invocation::EndsIfCancelled => pin!(self.deadline.bound(pin!(pending::<()>()))).poll(context),
            _ => pin!(self.deadline.bound(pin!(ready(())))).poll(context),
        };
        ended.map(|ended| Outcome::empty(ended.err().unwrap_or(Status::Ok), Execution::Unknown))
    }
}
