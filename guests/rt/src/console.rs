//! The console: text to the serial line.

use core::fmt::{self, Write};

/// The serial line.
struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(crate::arch::console::put);
        Ok(())
    }
}

/// Prints what [`print!`](crate::print) was given.
pub fn print(text: fmt::Arguments<'_>) {
    // The console itself cannot fail, and what a `Display` refuses to say is not said.
    let _ = Console.write_fmt(text);
}

/// Prints text.
#[macro_export]
macro_rules! print {
    ($($text:tt)*) => { $crate::console::print(format_args!($($text)*)) };
}

/// Prints text and ends the line.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($text:tt)+) => { $crate::print!("{}\n", format_args!($($text)+)) };
}
