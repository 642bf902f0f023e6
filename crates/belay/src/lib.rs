#![doc = include_str!("../README.md")]

mod actor;
mod cli;
mod clock;
mod commands;
pub mod config;
mod database;
mod exit;
mod lifecycle;
mod show;
mod telemetry;
mod wire;

pub use cli::Cli;
pub use commands::run;
pub use exit::Exit;
