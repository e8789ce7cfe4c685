// Package failover kills, stops and cuts off Redis masters under Sentinel and in a Cluster, under load, and checks that
// nothing that was acknowledged is lost.
package failover
