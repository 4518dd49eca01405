//! Stateful properties: the real algorithms against references that never cache.
