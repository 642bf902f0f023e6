#![doc = include_str!("../README.md")]

mod actor;
mod banner;
mod cli;
mod commands;
mod compose;
pub mod config;
mod database;
mod exit;
mod files;
mod first_run;
mod lifecycle;
mod machine;
mod private_db;
mod show;
mod signals;
mod stop;
mod telemetry;
mod wire;

pub use cli::Cli;
pub use commands::run;
pub use exit::Exit;
