// Package kubernetes tests what docker/kubernetes promises of its manifests.
package kubernetes
