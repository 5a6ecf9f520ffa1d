//! Nothing but tests: they compile the contracts with their pinned compiler and compare the result with the committed
//! artifacts.
