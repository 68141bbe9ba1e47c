//! Tables and properties over the way from drift to a README.

mod commands;
mod judged;
mod readme;
mod remedies;
mod sealing;
mod story;
