// Package failover restarts and kills replicas of the service, and kills, stops and cuts off Redis masters under Sentinel
// and in a Cluster, under load, and checks that nothing that was acknowledged is lost.
package failover
