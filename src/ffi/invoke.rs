//! lambda_invoke.

use std::sync::Arc;

use super::client::lambda_client;
use super::guard::entry;
use super::handle;
use super::request::lambda_request;
use super::result::{into_raw, lambda_result, panicked, refused, refused_without_memory};
use crate::error::Error;
use crate::platform::reserve;

/// Invokes a function and blocks until there is a response, the deadline passes, or an interrupt ends the call.
///
/// @return Never NULL: every failure is a result, also a NULL client. Owned by the caller: lambda_result_free.
///
/// # Safety
/// See [`handle::as_ref`].
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_invoke(
    client: *const lambda_client,
    request: *const lambda_request,
) -> *mut lambda_result {
    entry(panicked, || {
        // SAFETY: the header's conventions.
        let (client, request) = unsafe { (handle::as_ref(client), handle::as_ref(request)) };
        let Some(client) = client else { return refused(&Error::argument("client: is NULL")) };
        let Some(request) = request else { return refused(&Error::argument("request: is NULL")) };
        if reserve::is_low() {
            return refused_without_memory();
        }
        if let Err(error) = request.usable() {
            return into_raw(client.client.refuse(request.invocation(), &error));
        }
        // The snapshot: from here on the caller may change or free both objects, for example in a callback.
        let (invocation, interrupt) = (request.invocation().clone(), request.interrupt());
        let client = Arc::clone(&client.client);
        into_raw(match interrupt {
            Some(interrupt) => client.call(&invocation, Some(&mut || interrupt.poll())),
            None => client.call(&invocation, None),
        })
    })
}
