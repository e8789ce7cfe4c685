//go:build cluster

package kubernetes

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const (
	syncEvery    = 200 * time.Millisecond
	beatEvery    = 10 * time.Second
	restartAfter = time.Second
)

// kubelet plays the nodes: a pod is a real process, at the pod's own address, with what its container says of arguments,
// environment and secrets. Its readiness probe is asked, its preStop sleep slept, its grace period kept.
type kubelet struct {
	t      *testing.T
	api    *api
	dir    string
	builds map[string]string // image → program
	done   chan struct{}
	ended  sync.WaitGroup
	pods   map[string]*pod
	given  int // addresses
}

func startKubelet(t *testing.T, c *cluster, builds map[string]string, nodes ...string) *kubelet {
	t.Helper()
	k := &kubelet{t: t, api: c.api, dir: t.TempDir(), builds: builds, done: make(chan struct{}), pods: map[string]*pod{}}
	for _, name := range nodes {
		k.join(name)
	}
	k.ended.Go(func() { k.run(nodes) })
	t.Cleanup(func() {
		close(k.done)
		k.ended.Wait()
		for _, p := range k.pods {
			p.kill()
		}
	})
	return k
}

// join makes a node of a zone of its own.
func (k *kubelet) join(name string) {
	k.t.Helper()
	labels := object{"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "zone-" + name}
	node := object{"apiVersion": "v1", "kind": "Node", "metadata": object{"name": name, "labels": labels}}
	if err := k.api.call("POST", "/api/v1/nodes", asJSON, node, nil); err != nil {
		k.t.Fatal(err)
	}
	room := object{"cpu": "64", "memory": "64Gi", "pods": "200"}
	status := object{"status": object{"capacity": room, "allocatable": room, "conditions": []object{condition("Ready", true)}}}
	if err := k.api.call("PATCH", "/api/v1/nodes/"+name+"/status", asMergePatch, status, nil); err != nil {
		k.t.Fatal(err)
	}
	k.beat(name, "POST", "")
}

// beat renews the node's Lease: without it the node would be taken for dead.
func (k *kubelet) beat(name, method, path string) {
	lease := object{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": object{"name": name},
		"spec": object{"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")},
	}
	_ = k.api.call(method, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"+path, asMergePatchIf(method == "PATCH"), lease, nil)
}

func asMergePatchIf(patch bool) string {
	if patch {
		return asMergePatch
	}
	return asJSON
}

func (k *kubelet) run(nodes []string) {
	sync, beat := time.NewTicker(syncEvery), time.NewTicker(beatEvery)
	defer sync.Stop()
	defer beat.Stop()
	for {
		select {
		case <-k.done:
			return
		case <-beat.C:
			for _, name := range nodes {
				k.beat(name, "PATCH", "/"+name)
			}
		case <-sync.C:
			k.sync()
		}
	}
}

// sync looks at every pod that has a node. An API server that is away changes nothing: the processes go on.
func (k *kubelet) sync() {
	var list struct{ Items []podObject }
	if k.api.call("GET", "/api/v1/namespaces/baton/pods", asJSON, nil, &list) != nil {
		return
	}
	there := map[string]bool{}
	for _, item := range list.Items {
		if item.Spec.NodeName == "" || item.Status.Phase == "Succeeded" || item.Status.Phase == "Failed" {
			continue
		}
		there[item.Metadata.UID] = true
		p, known := k.pods[item.Metadata.UID]
		if !known {
			k.given++
			p = &pod{kubelet: k, address: fmt.Sprintf("10.244.%d.%d", k.given/250, 1+k.given%250), began: time.Now()}
			k.pods[item.Metadata.UID] = p
		}
		p.object = item
		p.sync()
	}
	for uid, p := range k.pods {
		if !there[uid] { // deleted with force
			p.kill()
			delete(k.pods, uid)
		}
	}
}

// program is what an image has in it.
func (k *kubelet) program(image string) (string, bool) {
	path, found := k.builds[image]
	return path, found
}

// secret writes one to files, as a volume has it.
func (k *kubelet) secret(name, dir string) error {
	var secret struct{ Data map[string][]byte }
	if err := k.api.call("GET", "/api/v1/namespaces/baton/secrets/"+name, asJSON, nil, &secret); err != nil {
		return err
	}
	for key, value := range secret.Data {
		if err := os.WriteFile(filepath.Join(dir, key), value, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// settings are a ConfigMap's, none where there is none.
func (k *kubelet) settings(name string) map[string]string {
	var found struct{ Data map[string]string }
	_ = k.api.call("GET", "/api/v1/namespaces/baton/configmaps/"+name, asJSON, nil, &found)
	return found.Data
}

// processes of a color's pods that run, by pod.
func (k *kubelet) processes(color string) map[string]int {
	var list struct{ Items []podObject }
	if err := k.api.call("GET", "/api/v1/namespaces/baton/pods?labelSelector=color%3D"+color, asJSON, nil, &list); err != nil {
		k.t.Fatal(err)
	}
	pids := map[string]int{}
	for _, item := range list.Items {
		text, err := os.ReadFile(filepath.Join(k.dir, item.Metadata.Name+".pid"))
		var pid int
		if _, scan := fmt.Sscan(string(text), &pid); err == nil && scan == nil {
			pids[item.Metadata.Name] = pid
		}
	}
	return pids
}

func condition(kind string, holds bool) object {
	status := "False"
	if holds {
		status = "True"
	}
	return object{"type": kind, "status": status, "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}
}

// answers tells whether a probe's path says 200.
func answers(url string) bool {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
