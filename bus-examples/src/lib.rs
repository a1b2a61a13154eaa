//! A small forge made of message handlers.
