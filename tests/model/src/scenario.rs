//! Guests that a person wrote, as text.
