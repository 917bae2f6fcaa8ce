//! The door for models and fuzzers: the parts behind the public handles. No part of the public interface.
