"""They mirror the rooms of the product, and hear nothing of the environment of whoever runs them."""

import os

from tests.environment import of_the_product

# before anything of the product is imported: some libraries look for their variables then
for _name in of_the_product(list(os.environ)):
    del os.environ[_name]
