package process

// environment builds the Python environment, or finds it built.
func (i *instance) environment() error {
	i.status.add("Pulling", "Normal", "Start building the Python environment")
	env, err := i.launcher.python.Build(i.ctx, i.want.Conda, i.steps)
	if err != nil {
		return err
	}
	i.status.add("Pulled", "Normal", "The Python environment is there: "+env.Python)
	i.python = env.Python
	i.warn(env)
	return nil
}
