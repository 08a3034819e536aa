//! Deferred setter errors of an object: one for each field whose last setter failed.

use super::status::{LAMBDA_OK, lambda_status, number};
use crate::error::Error;

#[derive(Clone, Default)]
pub(super) struct SetterErrors(Vec<(&'static str, Error)>);

impl SetterErrors {
    /// Records whether setting `field` succeeded. Returns the status.
    pub(super) fn record(&mut self, field: &'static str, result: Result<(), Error>) -> lambda_status {
        self.0.retain(|(known, _)| *known != field);
        match result {
            Ok(()) => LAMBDA_OK,
            Err(error) => {
                let status = number(error.status());
                self.0.push((field, error));
                status
            }
        }
    }

    /// Fails with the oldest error if any field has one: the object then cannot be used.
    pub(super) fn first(&self) -> Result<(), Error> {
        match self.0.first() {
            Some((_, error)) => Err(error.clone()),
            None => Ok(()),
        }
    }
}
