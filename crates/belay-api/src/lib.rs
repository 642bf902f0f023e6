//! belay-api
