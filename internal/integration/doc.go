// SPDX-License-Identifier: MIT

// Package integration has the tests that need real servers, drivers or other
// processes, and no code. What they inject faults with lies in the root
// module, where the tests of every package can use it:
//
//   - testproc starts child processes, and suspends (SIGSTOP), resumes and
//     kills (SIGKILL) them.
//   - redistest starts a redis-server, alone, with replicas, under a sentinel,
//     or in a cluster, and starts a killed one again where it was.
//   - postgrestest starts a PostgreSQL, stops it at once, and starts it again.
//   - faultproxy stands before any TCP server, and holds back, delays, cuts, or
//     loses just the reply to a request.
//
// Here is belief: who believed in which lease from when
// to when, in any number of processes, and whether two did at once.
package integration
