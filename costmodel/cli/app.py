"""The application that every command registers with."""

from cyclopts import App

app = App(
    name="archcost",
    help="What a neural network costs, in closed form: shapes, parameters, MACs, activations.",
    version_flags=["--version"],
    help_format="plaintext",
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)
