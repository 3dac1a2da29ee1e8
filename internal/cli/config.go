package cli

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hotswap/internal/spec"
	"hotswap/schemas"
)

func newConfig(s *session) *cobra.Command {
	c := group(&cobra.Command{Use: "config", Short: "Explain the settings of " + spec.ConfigName + ", and print its schema"})
	c.AddCommand(newConfigExplain(s), newConfigSchema(s))
	return c
}

// settingView is one setting as -o json shows it.
type settingView struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

func newConfigExplain(s *session) *cobra.Command {
	var flags settingFlags
	c := &cobra.Command{
		Use:   "explain",
		Short: "Show which settings are in force, and where they come from",
		Long: `Explain takes the flags of hotswap rollout and shows what each setting comes to: a flag counts
more than the environment, that more than ` + spec.ConfigName + `, and that more than the default. It asks no
server and changes nothing.`,
		Example: `  hotswap config explain --endpoint-file endpoint.yml
  hotswap config explain --config deploy/hotswap.yml --steps 10,100 -o json`,
		Args: noArguments,
	}
	flags.add(c)
	c.Flags().String("paths", "", "`PATTERNS` of the files that make a pull request deploy; hotswap gate takes those of the base commit")
	c.Flags().VisitAll(func(f *pflag.Flag) { delete(f.Annotations, cobra.BashCompOneRequiredFlag) })
	file := s.settled(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var all []settingView
		for _, key := range spec.ConfigKeys() {
			flag := c.Flags().Lookup(strings.ReplaceAll(key, "_", "-"))
			all = append(all, settingView{key, shownValue(flag), file.source(flag)})
		}
		err := s.print(all, func() *table {
			t := &table{head: []string{"KEY", "VALUE", "SOURCE"}}
			for _, v := range all {
				t.add(v.Key, dash(v.Value), v.Source)
			}
			return t
		})
		if err != nil {
			return err
		}
		_, err = flags.strategy.strategy() // what is in force may be nothing that can be done
		return err
	}
	return c
}

// emptyUnits makes 10m of 10m0s, and 1h of 1h0m0s.
var emptyUnits = strings.NewReplacer("h0m0s", "h", "m0s", "m")

// shownValue is a flag's value as people write it, without what may be a secret in a webhook's URL.
func shownValue(flag *pflag.Flag) string {
	text := flag.Value.String()
	switch {
	case flag.Value.Type() == "duration":
		return emptyUnits.Replace(text)
	case flag.Name != "webhook" || text == "":
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "…"
	}
	return u.Scheme + "://" + u.Host + "/…"
}

func newConfigSchema(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of " + spec.ConfigName + ", for editors",
		Example: "  hotswap config schema > hotswap.schema.json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := s.Stdout.Write(schemas.Hotswap)
			return err
		},
	}
}
