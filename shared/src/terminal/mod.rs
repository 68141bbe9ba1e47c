//! What people see on a terminal, and how text that others wrote is made harmless before it gets there.
//!
//! Nothing in here prints or reads the environment except [`Screen::of`]: the functions return text.

mod escape;
mod failure;
pub mod markdown;
mod screen;
mod style;
mod table;
mod width;

pub use escape::visible;
pub use failure::{Failure, Place};
pub use screen::Screen;
pub use style::{Palette, Role};
pub use table::{Cell, Column, Table};
pub use width::{cut, width, wrap, wrapped};
