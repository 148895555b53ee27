// Reads node files with the code of the runtimes themselves and says as JSON what they make of them. For tests:
// tests/unit/test_node_files_vendors.py.
//
//	runtimes containerd CERTS_D HOST...  hosts in the order in which containerd asks them, by source registry
//	runtimes k3s FILE                    registries.yaml, as k3s and RKE2 decode it; unknown fields are errors
//	runtimes talos FILE                  a patch of the machine configuration: mirrors, as Talos sees them
//	runtimes openshift FILE              an object of config.openshift.io/v1, decoded strictly into its type
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	configv1 "github.com/openshift/api/config/v1"
	"github.com/rancher/wharfie/pkg/registries"
	talos "github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"gopkg.in/yaml.v2"
	kubernetes "sigs.k8s.io/yaml"
)

type host struct {
	URL      string   `json:"url"`
	Can      []string `json:"can"`
	Insecure bool     `json:"insecure"`
	CA       bool     `json:"ca"`
}

func containerd(directory string, names []string) (any, error) {
	find := config.ConfigureHosts(context.Background(), config.HostOptions{HostDir: config.HostDirFromRoot(directory)})
	found := map[string][]host{}
	for _, name := range names {
		hosts, err := find(name)
		if err != nil {
			return nil, err
		}
		for _, one := range hosts {
			found[name] = append(found[name], describe(one))
		}
	}
	return found, nil
}

func describe(one docker.RegistryHost) host {
	told := host{URL: one.Scheme + "://" + one.Host + one.Path, Can: []string{}}
	for capability, word := range map[docker.HostCapabilities]string{
		docker.HostCapabilityPull: "pull", docker.HostCapabilityResolve: "resolve", docker.HostCapabilityPush: "push",
	} {
		if one.Capabilities.Has(capability) {
			told.Can = append(told.Can, word)
		}
	}
	slices.Sort(told.Can)
	if transport, ok := one.Client.Transport.(*http.Transport); ok && transport.TLSClientConfig != nil {
		told.Insecure = transport.TLSClientConfig.InsecureSkipVerify
		told.CA = transport.TLSClientConfig.RootCAs != nil
	}
	return told
}

func k3s(content []byte) (any, error) {
	found := registries.Registry{}
	if err := yaml.UnmarshalStrict(content, &found); err != nil {
		return nil, err
	}
	endpoints := map[string]any{}
	for name, mirror := range found.Mirrors {
		endpoints[name] = map[string]any{"endpoints": mirror.Endpoints, "rewrites": mirror.Rewrites}
	}
	insecure := map[string]bool{}
	for name, one := range found.Configs {
		insecure[name] = one.TLS != nil && one.TLS.InsecureSkipVerify
	}
	return map[string]any{"mirrors": endpoints, "insecure": insecure}, nil
}

func talosPatch(content []byte) (any, error) {
	loaded, err := configpatcher.LoadPatch(content)
	if err != nil {
		return nil, err
	}
	patch, ok := loaded.(configpatcher.StrategicMergePatch)
	if !ok {
		return nil, errors.New("not a patch of configuration documents")
	}
	for _, document := range patch.Documents() {
		// a part of the old single document is not valid by itself; the new documents are
		if one, ok := document.(talos.Validator); ok && document.APIVersion() != "" {
			if _, err := one.Validate(metal{}); err != nil {
				return nil, err
			}
		}
	}
	found := map[string]any{}
	for name, mirror := range patch.Provider().RegistryMirrorConfigs() {
		endpoints := []any{}
		for _, one := range mirror.Endpoints() {
			endpoints = append(endpoints, map[string]any{"url": one.Endpoint(), "overridePath": one.OverridePath()})
		}
		found[name] = map[string]any{"endpoints": endpoints, "skipFallback": mirror.SkipFallback()}
	}
	tls := map[string]any{}
	for name, one := range patch.Provider().RegistryTLSConfigs() {
		tls[name] = map[string]any{"ca": string(one.CA()), "insecure": one.InsecureSkipVerify()}
	}
	return map[string]any{"mirrors": found, "tls": tls}, nil
}

// metal is the runtime mode of Talos on a machine.
type metal struct{}

func (metal) String() string        { return "metal" }
func (metal) RequiresInstall() bool { return false }
func (metal) InContainer() bool     { return false }

func openshift(content []byte) (any, error) {
	kind := struct{ Kind string }{}
	if err := kubernetes.Unmarshal(content, &kind); err != nil {
		return nil, err
	}
	types := map[string]any{
		"ImageDigestMirrorSet": &configv1.ImageDigestMirrorSet{},
		"ImageTagMirrorSet":    &configv1.ImageTagMirrorSet{},
		"Image":                &configv1.Image{},
	}
	into, ok := types[kind.Kind]
	if !ok {
		return nil, fmt.Errorf("no type for %q", kind.Kind)
	}
	return into, kubernetes.UnmarshalStrict(content, into)
}

func run(arguments []string) (any, error) {
	if len(arguments) < 2 {
		return nil, errors.New("runtimes containerd|k3s|talos|openshift PATH")
	}
	if arguments[0] == "containerd" {
		return containerd(arguments[1], arguments[2:])
	}
	content, err := os.ReadFile(arguments[1])
	if err != nil {
		return nil, err
	}
	switch arguments[0] {
	case "k3s":
		return k3s(content)
	case "talos":
		return talosPatch(content)
	case "openshift":
		return openshift(content)
	}
	return nil, fmt.Errorf("no runtime %q", arguments[0])
}

func main() {
	found, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
