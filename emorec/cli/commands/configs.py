"""`emorec configs`: the experiments and studies that come with emorec."""


def configs() -> None:
    """List the experiments for emorec fit --config NAME, and the studies for emorec study NAME.

    They are files: --print_config shows all settings of one.
    """
    # late: --help does without rich
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from emorec.console import make_console
    from emorec.shipped import config_folder, list_configs, list_studies

    console = make_console()
    for title, usage, shipped in (
        ("experiment", "emorec fit --config NAME --data.root DIR", list_configs()),
        ("study", "emorec study NAME --data.root DIR", list_studies()),
    ):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column(title, no_wrap=True)
        table.add_column(usage)
        for each in shipped:
            table.add_row(Text(each.name), Text(each.summary))
        console.print(table)
    console.print(f"the files are in {config_folder()}", soft_wrap=True)
