//! The log hook.

use std::ffi::{c_char, c_void};

use super::text::NulTerminated;
use super::user_data::UserData;
use crate::error::Error;
use crate::log::LogLevel;

/// No events.
pub const LAMBDA_LOG_LEVEL_OFF: i32 = 0;
/// A call failed.
pub const LAMBDA_LOG_LEVEL_ERROR: i32 = 1;
/// Something was wrong, and the library coped with it.
pub const LAMBDA_LOG_LEVEL_WARN: i32 = 2;
/// Rare and useful: where credentials came from.
pub const LAMBDA_LOG_LEVEL_INFO: i32 = 3;
/// Every attempt and its outcome.
pub const LAMBDA_LOG_LEVEL_DEBUG: i32 = 4;
/// Everything else.
pub const LAMBDA_LOG_LEVEL_TRACE: i32 = 5;

/// Receives an event of the library's log. Called on the thread where the event happens, so by several threads at
/// once, and not always on that of the call that the event belongs to. The strings live until it returns. The message of an
/// event in a call begins with the function and a number that identifies the call. It must not call lambda_* functions. A
/// child that it forks must exec or end, and not return from it.
pub type lambda_log_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, target: *const c_char, message: *const c_char)>;

/// Converts a number of LAMBDA_LOG_LEVEL_*; `None` is off.
pub(super) fn level(number: i32) -> Result<Option<LogLevel>, Error> {
    match number {
        LAMBDA_LOG_LEVEL_OFF => Ok(None),
        LAMBDA_LOG_LEVEL_ERROR => Ok(Some(LogLevel::Error)),
        LAMBDA_LOG_LEVEL_WARN => Ok(Some(LogLevel::Warn)),
        LAMBDA_LOG_LEVEL_INFO => Ok(Some(LogLevel::Info)),
        LAMBDA_LOG_LEVEL_DEBUG => Ok(Some(LogLevel::Debug)),
        LAMBDA_LOG_LEVEL_TRACE => Ok(Some(LogLevel::Trace)),
        other => Err(Error::argument(format!("log: {other} is none of LAMBDA_LOG_LEVEL_*"))),
    }
}

/// Passes an event to the caller's callback.
pub(super) fn pass_on(
    callback: unsafe extern "C" fn(*mut c_void, i32, *const c_char, *const c_char),
    user_data: &UserData,
    level: LogLevel,
    target: &str,
    message: &str,
) {
    let number = match level {
        LogLevel::Error => LAMBDA_LOG_LEVEL_ERROR,
        LogLevel::Warn => LAMBDA_LOG_LEVEL_WARN,
        LogLevel::Info => LAMBDA_LOG_LEVEL_INFO,
        LogLevel::Debug => LAMBDA_LOG_LEVEL_DEBUG,
        LogLevel::Trace => LAMBDA_LOG_LEVEL_TRACE,
    };
    // If there is no memory for an event, then the event is lost, but the call continues.
    let texts = (NulTerminated::copied_text(target), NulTerminated::copied_text(message));
    if let (Ok(target), Ok(message)) = texts {
        // SAFETY: lambda_config_set_log's caller promised that it may be called with this pointer until it is released;
        // both strings are NUL-terminated and outlive the call.
        unsafe { callback(user_data.pointer(), number, target.as_ptr().cast(), message.as_ptr().cast()) };
    }
}
