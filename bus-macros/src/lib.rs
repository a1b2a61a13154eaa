//! The attributes of Bus.
